#include <algorithm>
#include <utility>

#include "storage/generation_file.h"

namespace ccr::storage {
namespace {

// What became of a record that goes on behind its generation.
enum class Outcome { complete, abandoned, not_yet };

enum class Step { block, seal, none };

std::uint64_t blocks_for(std::uint64_t bytes) { return (bytes + block_payload_max - 1) / block_payload_max; }

}  // namespace

struct LogReader::State {
  State(Disk& d, LogDirectory place, Position from)
      : disk(d), directory(std::move(place)), position(from), generation(from.generation), skip_first(payload_offset(from)) {}

  static std::size_t payload_offset(Position from) {
    const std::size_t inside = static_cast<std::size_t>(from.offset % block_bytes);
    CCR_ASSERT(inside == 0 || inside > block_header_bytes);
    return inside == 0 ? 0 : inside - block_header_bytes;
  }

  Task<Result<std::optional<RecordHeader>>> next(Position limit);
  Task<Result<Outcome>> outcome_of(const RecordHeader& header, Position limit);
  Task<Result<Outcome>> probe(Generation from, std::uint64_t left, Position limit);
  Task<Result<void>> take_body(ByteSpan into);
  Task<Result<void>> skip_body();
  Task<Result<void>> load_body();
  Result<void> expect_body(const Result<Step>& step) const;
  Task<Result<Step>> load(Position limit);
  bool at_hand(Position limit) const;
  Result<Step> take_block();
  Task<Result<void>> open_next();
  Task<Result<bool>> fill(Position limit);
  void take_header_bytes();
  void pass_seal();
  void forget_record();
  void end_record();
  std::size_t rest() const { return payload.size() - at; }

  Disk& disk;
  LogDirectory directory;
  Position position, start;
  Position limit;             // of the last next()

  // Where the blocks come from.
  Generation generation;
  std::unique_ptr<File> file;         // of `generation`, once it is open
  std::string path;
  std::optional<GenerationScan> scan;
  AlignedBuffer buffer{read_bytes_max, AlignedBuffer::Content::any};
  std::uint64_t buffer_offset = 0;    // in the file
  std::size_t buffered = 0;
  ByteView payload;                   // of the current block, in the buffer
  std::size_t at = 0;                 // the next byte of it
  std::size_t skip_first = 0;         // payload bytes in front of the start, in the first block

  // The record that begins at `position`.
  bool inside = false;                // its first byte was read
  bool dropping = false;              // a crash abandoned it: skip to where the next one begins
  std::array<std::byte, RecordHeader::encoded_bytes> header_bytes{};
  std::size_t header_have = 0;
  std::uint64_t body_left = 0;        // once it was handed out
  Bytes images;                       // numbers and contents of `pages`
  std::vector<Page> pages;            // handed out last
  std::vector<SealFacts> seals, seals_inside;  // inside: passed within a record that goes on
};

LogReader::LogReader(Disk& disk, LogDirectory directory, Position from)
    : state_(std::make_unique<State>(disk, std::move(directory), from)) {
  CCR_ASSERT(from.generation.number != 0 && from.offset >= Position::first_offset);
}
LogReader::~LogReader() = default;

Position LogReader::position() const { return state_->position; }
Position LogReader::start() const { return state_->start; }

void LogReader::give_back() {
  State& state = *state_;
  if (state.rest() != 0) return;  // what is left of a block is read from the buffer
  state.payload = {};
  state.at = 0;
  state.buffered = 0;
  state.buffer.forget();
  if (state.body_left == 0) state.images = {};
}
std::vector<SealFacts> LogReader::take_seals() { return std::exchange(state_->seals, {}); }

Task<Result<void>> LogReader::State::open_next() {
  Result<std::optional<OpenedGeneration>> found = co_await open_generation(disk, directory, generation);
  if (!found.ok()) co_return found.error();
  if (!found->has_value()) co_return Error{ErrorKind::gap, "generation " + to_text(generation) + " is not in " + directory.path, missing_generation_hint};
  path = (*found)->path;
  const GenerationHeader header = (*found)->header;
  if (header.page_size != directory.page_size)
    co_return Error{ErrorKind::identity, path + ": page size " + std::to_string(header.page_size) + " (expected " +
                    std::to_string(directory.page_size) + ")", ""};
  if (scan) {
    GenerationScan next(scan->expected_next());
    std::array<std::byte, block_bytes> block;
    encode_generation_header(header, block);
    const ByteView view(block);
    const Result<void> taken = next.take(view);
    if (!taken.ok()) co_return taken.error().within(path);
    scan = std::move(next);
  } else {
    scan.emplace(header, position);
  }
  file = std::move((*found)->file);
  buffered = 0;
  co_return Result<void>();
}

// Does the block that follows lie in the buffer?
bool LogReader::State::at_hand(Position until) const {
  if (!file) return false;
  const std::uint64_t offset = scan->bytes();
  const bool below = generation < until.generation || offset < end_of_block(until).offset;
  return below && offset >= buffer_offset && offset < buffer_offset + buffered;
}

// Brings the block at scan->next_block() into the buffer; false where the limit is reached.
Task<Result<bool>> LogReader::State::fill(Position until) {
  const std::uint64_t offset = scan->bytes();
  const bool behind = generation < until.generation;
  const std::uint64_t end = end_of_block(until).offset;
  if (!behind && offset >= end) co_return false;
  if (at_hand(until)) co_return true;
  const std::uint64_t wanted = behind ? buffer.size() : std::min<std::uint64_t>(buffer.size(), end - offset);
  const ByteSpan into = buffer.span().first(static_cast<std::size_t>(wanted));
  Result<std::size_t> count = co_await file->read_at(offset, into);
  if (!count.ok()) co_return count.error().within(path);
  buffer_offset = offset;
  buffered = *count / block_bytes * block_bytes;
  if (buffered == 0)
    co_return Error{ErrorKind::corrupt, path + ": ends at block " + std::to_string(scan->next_block()) + ", but " + to_text(until) +
                    " should be there", ""};
  co_return true;
}

// The block that follows becomes the current one, verified; only when all of the current one was read.
Task<Result<Step>> LogReader::State::load(Position until) {
  CCR_ASSERT(rest() == 0);
  if (!file) {
    if (Position{generation, Position::first_offset} >= until) co_return Step::none;
    CCR_CO_TRY(co_await open_next());
  }
  Result<bool> there = co_await fill(until);
  if (!there.ok()) co_return there.error();
  if (!*there) co_return Step::none;
  co_return take_block();
}

Result<Step> LogReader::State::take_block() {
  const std::uint64_t abandoned = scan->records().records_abandoned();
  const ByteView block = buffer.view().subspan(static_cast<std::size_t>(scan->bytes() - buffer_offset), block_bytes);
  const Result<void> taken = scan->take(block);
  if (!taken.ok()) buffered = 0;  // the caller may look again: a transient read error is not damage
  if (!taken.ok()) return taken.error().within(path);
  if (scan->sealed()) {
    pass_seal();
    return Step::seal;
  }
  payload = scan->block().payload;
  at = std::exchange(skip_first, 0);
  if (scan->records().records_abandoned() != abandoned) forget_record();
  return Step::block;
}

void LogReader::State::pass_seal() {
  (inside ? seals_inside : seals).push_back({generation, scan->seal()});
  file.reset();
  payload = {};
  at = 0;
  generation = generation.next();
  if (!inside) position = Position::start_of(generation);
}

// The current block begins a record although another went on: that one never counted.
void LogReader::State::forget_record() {
  inside = dropping = false;
  header_have = 0;
  body_left = 0;
  position = Position::start_of(generation);
  seals.insert(seals.end(), seals_inside.begin(), seals_inside.end());
  seals_inside.clear();
}

void LogReader::State::end_record() {
  CCR_ASSERT(inside && body_left == 0);
  inside = false;
  header_have = 0;
  const std::uint32_t number = scan->block().number;
  position = rest() == 0 ? position_in_block(generation, number + 1, 0) : position_in_block(generation, number, at);
  seals.insert(seals.end(), seals_inside.begin(), seals_inside.end());
  seals_inside.clear();
}

// Looks into the generations a record goes on through, one block of each, whether it was abandoned there: nobody may be given the
// first pages of a record that has no end.
Task<Result<Outcome>> LogReader::State::probe(Generation from, std::uint64_t left, Position until) {
  AlignedBuffer block(block_bytes);
  for (Generation number = from;; number = number.next()) {
    if (Position::start_of(number) >= until) co_return Outcome::not_yet;
    Result<std::optional<OpenedGeneration>> found = co_await open_generation(disk, directory, number);
    if (!found.ok()) co_return found.error();
    if (!found->has_value()) co_return Error{ErrorKind::gap, "generation " + to_text(number) + " is not in " + directory.path, missing_generation_hint};
    const OpenedGeneration& opened = **found;
    const ByteSpan into = block.span();
    Result<std::size_t> count = co_await opened.file->read_at(Position::first_offset, into);
    if (!count.ok()) co_return count.error().within(opened.path);
    if (is_seal(block.view())) continue;  // sealed empty, by a raised epoch
    Result<Block> first = decode_block(directory.signature, number, 1, block.view());
    if (!first.ok()) co_return first.error().within(opened.path);
    if (first->first_record == 0) co_return Outcome::abandoned;
    const std::uint64_t capacity = std::uint64_t(data_blocks_max(opened.header.generation_bytes)) * block_payload_max;
    if (left > capacity) {
      left -= capacity;
      continue;
    }
    const bool here = number < until.generation || blocks_for(left) * block_bytes < end_of_block(until).offset;
    co_return here ? Outcome::complete : Outcome::not_yet;
  }
}

// The header was read; does the record end at or before `until`?
Task<Result<Outcome>> LogReader::State::outcome_of(const RecordHeader& header, Position until) {
  const std::uint64_t body = header.body_bytes(directory.page_size);
  if (body <= rest()) co_return Outcome::complete;
  const std::uint64_t left = body - rest();
  const std::uint32_t number = scan->block().number;
  const std::uint64_t blocks = data_blocks_max(scan->header().generation_bytes) - number;
  if (blocks_for(left) > blocks) co_return co_await probe(generation.next(), left - blocks * block_payload_max, until);
  const bool here = generation < until.generation || (number + blocks_for(left)) * block_bytes < end_of_block(until).offset;
  co_return here ? Outcome::complete : Outcome::not_yet;
}

void LogReader::State::take_header_bytes() {
  const std::size_t count = std::min(rest(), header_bytes.size() - header_have);
  std::copy_n(payload.begin() + static_cast<std::ptrdiff_t>(at), count, header_bytes.begin() + static_cast<std::ptrdiff_t>(header_have));
  at += count;
  header_have += count;
  inside = true;
}

Task<Result<std::optional<RecordHeader>>> LogReader::State::next(Position until) {
  const std::optional<RecordHeader> none;
  while (inside || position < until) {
    if (dropping) at = payload.size();
    if (rest() == 0 && (dropping || header_have < header_bytes.size())) {
      Result<Step> step = co_await load(until);
      if (!step.ok()) co_return step.error();
      if (*step == Step::none) co_return none;
      continue;
    }
    if (header_have < header_bytes.size()) {
      take_header_bytes();
      continue;
    }
    Result<RecordHeader> header = decode_record_header(header_bytes, directory.page_size);
    if (!header.ok()) co_return header.error().within(path);
    Result<Outcome> outcome = co_await outcome_of(*header, until);
    if (!outcome.ok()) co_return outcome.error();
    if (*outcome == Outcome::not_yet) co_return none;
    dropping = *outcome == Outcome::abandoned;
    if (dropping) continue;
    start = position;
    body_left = header->body_bytes(directory.page_size);
    if (body_left == 0) end_record();
    co_return std::optional<RecordHeader>(*header);
  }
  co_return none;
}

// More of a body whose end is known to be there.
Task<Result<void>> LogReader::State::load_body() {
  const Result<Step> step = co_await load(limit);
  co_return expect_body(step);
}

Result<void> LogReader::State::expect_body(const Result<Step>& step) const {
  if (!step.ok()) return step.error();
  if (*step == Step::none || !inside)
    return Error{ErrorKind::corrupt, path + ": the record at " + to_text(position) + " has no end", ""};
  return {};
}

// Many blocks lie in the buffer already: those take no turn of their own.
Task<Result<void>> LogReader::State::take_body(ByteSpan into) {
  while (!into.empty()) {
    if (rest() == 0) {
      if (at_hand(limit)) CCR_CO_TRY(expect_body(take_block()));
      else CCR_CO_TRY(co_await load_body());
      continue;
    }
    const std::size_t count = std::min(rest(), into.size());
    std::memcpy(into.data(), payload.data() + at, count);
    at += count;
    body_left -= count;
    into = into.subspan(count);
  }
  co_return Result<void>();
}

Task<Result<void>> LogReader::State::skip_body() {
  while (body_left > 0) {
    if (rest() == 0) {
      CCR_CO_TRY(co_await load_body());
      continue;
    }
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(rest(), body_left));
    at += count;
    body_left -= count;
  }
  co_return Result<void>();
}

Task<Result<std::optional<RecordHeader>>> LogReader::next(Position limit) {
  State& state = *state_;
  state.limit = std::max(state.limit, limit);
  if (state.body_left > 0) {
    CCR_CO_TRY(co_await state.skip_body());
    state.end_record();
  }
  co_return co_await state.next(limit);
}

Task<Result<std::span<const Page>>> LogReader::next_pages() {
  State& state = *state_;
  state.pages.clear();
  if (state.body_left == 0) co_return std::span<const Page>();
  const std::size_t image_bytes = 4 + state.directory.page_size;
  const std::size_t room = std::max<std::size_t>(1, images_bytes_max / image_bytes) * image_bytes;
  const std::size_t bytes = static_cast<std::size_t>(std::min<std::uint64_t>(state.body_left, room));
  if (state.images.size() < bytes) state.images.resize(bytes);
  const ByteSpan into = ByteSpan(state.images).first(bytes);
  CCR_CO_TRY(co_await state.take_body(into));
  if (state.body_left == 0) state.end_record();
  for (Decoder in(into); in.remaining() > 0;) {
    const PageNumber number = in.u32();
    state.pages.push_back({number, in.bytes(state.directory.page_size)});
    if (number == 0) co_return Error{ErrorKind::corrupt, state.path + ": an image of page 0 before " + to_text(state.position), ""};
  }
  co_return std::span<const Page>(state.pages);
}

}  // namespace ccr::storage
