#include "storage/log_cut.h"

#include <algorithm>
#include <utility>

#include "storage/incoming_opening.h"
#include "storage/quarantine.h"

namespace ccr::storage {
namespace {

constexpr const char* cut_name = "cut.tmp";  // what is kept of a generation, until it takes its place

// The blocks of one generation before a position in it. The block in which that lies ends there: no record goes on behind it.
class KeptBlocks {
 public:
  KeptBlocks(File& file, GenerationScan::Expected expected, std::uint64_t end) : cursor_(file), scan_(std::move(expected)), end_(end) {}

  // The next one, verified; empty behind the last.
  Task<Result<ByteView>> next();
  const GenerationScan& scan() const noexcept { return scan_; }
  bool more_behind() const noexcept { return more_behind_; }  // behind the last one: the file goes on

 private:
  Result<void> shorten(std::size_t payload_bytes);

  BlockCursor cursor_;
  GenerationScan scan_;
  std::uint64_t end_;
  AlignedBuffer block_{block_bytes};
  bool more_behind_ = false;
};

Task<Result<ByteView>> KeptBlocks::next() {
  const Result<ByteView> read = co_await cursor_.next();
  if (!read.ok()) co_return read.error();
  const std::uint64_t begins = scan_.bytes();
  const bool kept = begins < end_;
  if (kept && read->empty()) co_return Error{ErrorKind::corrupt, "ends before block " + std::to_string(scan_.next_block()), ""};
  if (!kept) {
    const bool blank = read->empty() || is_zero(*read) || is_left_over(scan_.header().signature, scan_.header().generation, scan_.next_block(), *read);
    more_behind_ = more_behind_ || !blank;
    co_return ByteView();
  }
  std::copy(read->begin(), read->end(), block_.data());
  const bool inside = end_ - begins < block_bytes;
  if (inside) CCR_CO_TRY(shorten(static_cast<std::size_t>(end_ - begins) - block_header_bytes));
  CCR_CO_TRY(scan_.take(block_.view()));
  co_return block_.view();
}

Result<void> KeptBlocks::shorten(std::size_t payload_bytes) {
  const GenerationHeader& header = scan_.header();
  Result<Block> block = decode_block(header.signature, header.generation, scan_.next_block(), block_.view());
  if (!block.ok()) return block.error();
  if (block->payload.size() < payload_bytes)
    return Error{ErrorKind::corrupt, "block " + std::to_string(block->number) + " holds " + std::to_string(block->payload.size()) + " bytes (expected " + std::to_string(payload_bytes) + ")", ""};
  more_behind_ = block->payload.size() > payload_bytes;
  const Bytes payload(block->payload.begin(), block->payload.begin() + static_cast<std::ptrdiff_t>(payload_bytes));
  block->payload = payload;
  if (block->first_record != Block::none && block->first_record >= payload_bytes) block->first_record = Block::none;
  encode_block(header.signature, header.generation, *block, block_.span());
  return {};
}

GenerationScan::Expected expected_of(const LogDirectory& directory, Generation generation) {
  GenerationScan::Expected expected;
  expected.signature = directory.signature;
  expected.generation = generation;
  expected.page_size = directory.page_size;
  return expected;
}

// All of the prefix is read, and dropped.
Task<Result<void>> read_through(KeptBlocks& blocks) {
  for (;;) {
    const Result<ByteView> block = co_await blocks.next();
    if (!block.ok()) co_return block.error();
    if (block->empty()) co_return Result<void>();
  }
}

Task<Result<std::optional<RecordHeader>>> last_of_sealed(Disk& disk, LogDirectory directory, Generation generation) {
  const Result<std::optional<OpenedGeneration>> opened = co_await open_generation(disk, directory, generation);
  if (!opened.ok()) co_return opened.error();
  if (!opened->has_value()) co_return std::optional<RecordHeader>();
  const std::string path = (*opened)->path;
  const GenerationScan::Expected expected = expected_of(directory, generation);
  const Result<GenerationScan> scan = co_await scan_sealed(disk, path, expected);
  if (!scan.ok()) co_return scan.error();
  co_return scan->records().last_record();
}

}  // namespace

Task<Result<std::optional<RecordHeader>>> record_before(Disk& disk, LogDirectory directory, Position at) {
  Result<std::optional<OpenedGeneration>> opened = co_await open_generation(disk, directory, at.generation);
  if (!opened.ok()) co_return opened.error();
  const bool at_start = at.offset == Position::first_offset;
  if (opened->has_value() && at_start) co_return (*opened)->header.last_record;
  if (!opened->has_value() && !at_start) co_return Error{ErrorKind::gap, "generation " + to_text(at.generation) + " is not in " + directory.path, ""};
  if (!opened->has_value()) {
    if (at.generation.number <= 1) co_return std::optional<RecordHeader>();
    const Generation before{at.generation.number - 1};
    co_return co_await last_of_sealed(disk, directory, before);
  }
  KeptBlocks blocks(*(*opened)->file, expected_of(directory, at.generation), at.offset);
  const Result<void> read = co_await read_through(blocks);
  if (!read.ok()) co_return read.error().within((*opened)->path);
  co_return blocks.scan().records().last_record();
}

Task<Result<TimeCut>> find_cut(Disk& disk, CutSearch search, Position& seen) {
  seen = search.from;
  TimeCut cut;
  Result<std::optional<RecordHeader>> before = co_await record_before(disk, search.directory, search.from);
  if (!before.ok()) co_return before.error();
  cut.kept = std::move(*before);
  LogReader reader(disk, search.directory, search.from);
  for (;;) {
    const Result<std::optional<RecordHeader>> record = co_await reader.next(search.end);
    if (!record.ok()) co_return record.error();
    seen = reader.position();
    if (!record->has_value()) break;
    const bool later = (*record)->wall > search.until;
    cut.marker = !later && (*record)->kind == RecordKind::base_marker;
    if (later || cut.marker) {
      cut.at = reader.start();
      cut.next = **record;
      co_return cut;
    }
    cut.kept = **record;
  }
  cut.at = search.end;
  co_return cut;
}

namespace {

// A crash came when the generation was set aside, and before what is kept of it took its place.
Task<Result<void>> end_interrupted_cut(Disk& disk, LogDirectory directory, Generation generation) {
  const std::string kept = path_in(directory.path, cut_name), place = incoming_path(directory.path, generation);
  const Result<std::optional<OpenedGeneration>> opened = co_await open_generation(disk, directory, generation);
  if (!opened.ok()) co_return opened.error();
  if (opened->has_value()) co_return co_await remove_if_there(disk, kept);
  const Result<void> renamed = co_await disk.rename(kept, place);
  if (!renamed.ok() && renamed.error().kind == ErrorKind::not_found) co_return Result<void>();
  if (!renamed.ok()) co_return renamed.error();
  const std::string folder = path_in(directory.path, incoming_folder);
  CCR_CO_TRY(co_await disk.sync_directory(folder));
  co_return co_await disk.sync_directory(directory.path);
}

// The beginning of a generation, in a file of its own; durable at completion. Answers where it ends.
Task<Result<Position>> write_kept(Disk& disk, LogDirectory directory, Position cut) {
  const Result<std::optional<OpenedGeneration>> opened = co_await open_generation(disk, directory, cut.generation);
  if (!opened.ok()) co_return opened.error();
  if (!opened->has_value()) co_return Error{ErrorKind::gap, "generation " + to_text(cut.generation) + " is not in " + directory.path, ""};
  const std::string path = path_in(directory.path, cut_name);
  CCR_CO_TRY(co_await remove_if_there(disk, path));
  Result<std::unique_ptr<File>> file = co_await disk.open(path, OpenMode::create_new);
  if (!file.ok()) co_return file.error();
  CCR_CO_TRY(co_await (*file)->allocate((*opened)->header.generation_bytes));
  KeptBlocks blocks(*(*opened)->file, expected_of(directory, cut.generation), cut.offset);
  AlignedBuffer batch(copy_bytes, AlignedBuffer::Content::any);
  std::uint64_t offset = 0;
  for (bool more = true; more;) {
    std::size_t filled = 0;
    while (more && filled < batch.size()) {
      const Result<ByteView> block = co_await blocks.next();
      if (!block.ok()) co_return block.error().within((*opened)->path);
      more = !block->empty();
      std::copy(block->begin(), block->end(), batch.data() + filled);
      filled += block->size();
    }
    const ByteView bytes = batch.view().first(filled);
    if (filled > 0) CCR_CO_TRY(co_await (*file)->write_at(offset, bytes));
    offset += filled;
  }
  CCR_CO_TRY(co_await (*file)->sync());
  CCR_CO_TRY(co_await disk.sync_directory(directory.path));
  co_return blocks.scan().position();
}

}  // namespace

Task<Result<BehindCut>> look_behind_cut(Disk& disk, LogDirectory directory, Position cut) {
  const std::string folder = path_in(directory.path, incoming_folder);
  CCR_CO_TRY(co_await disk.make_directories(folder));
  CCR_CO_TRY(co_await end_interrupted_cut(disk, directory, cut.generation));
  const Position nothing_proven;
  BehindCut behind;
  std::optional<RecordHeader> newest;
  {
    const Result<IncomingState> state = co_await open_incoming(disk, directory, cut.generation, nothing_proven);
    if (!state.ok()) co_return state.error();
    if (state->scan.begun()) {
      behind.last = state->scan.generation();
      newest = state->scan.records().last_record();
    } else if (state->sealed.last) {
      behind.last = state->sealed.last->header().generation;
      newest = state->sealed.last->records().last_record();
    }
  }
  const Result<std::optional<RecordHeader>> kept = co_await record_before(disk, directory, cut);
  if (!kept.ok()) co_return kept.error();
  behind.commits = newest ? newest->number - std::min(newest->number, *kept ? (*kept)->number : 0) : 0;
  const Result<std::optional<OpenedGeneration>> opened = co_await open_generation(disk, directory, cut.generation);
  if (!opened.ok()) co_return opened.error();
  if (!opened->has_value()) co_return behind;  // the log ends in front of it
  KeptBlocks blocks(*(*opened)->file, expected_of(directory, cut.generation), cut.offset);
  const Result<void> read = co_await read_through(blocks);
  if (!read.ok()) co_return read.error().within((*opened)->path);
  if (blocks.more_behind()) behind.first = cut.generation;
  else if (behind.last > cut.generation) behind.first = cut.generation.next();
  co_return behind;
}

Task<Result<Position>> cut_received_log(Disk& disk, LogDirectory directory, Position cut, BehindCut behind) {
  const Result<std::optional<OpenedGeneration>> opened = co_await open_generation(disk, directory, cut.generation);
  if (!opened.ok()) co_return opened.error();
  if (!opened->has_value()) co_return cut;
  const bool whole = behind.first.number == 0 || behind.first > cut.generation;
  if (behind.last > cut.generation) CCR_CO_TRY(co_await move_generations_aside(disk, directory.path, cut.generation.next()));
  if (whole) {
    KeptBlocks blocks(*(*opened)->file, expected_of(directory, cut.generation), cut.offset);
    const Result<void> read = co_await read_through(blocks);
    if (!read.ok()) co_return read.error().within((*opened)->path);
    co_return blocks.scan().position();
  }
  const Result<Position> end = co_await write_kept(disk, directory, cut);
  if (!end.ok()) co_return end.error();
  CCR_CO_TRY(co_await move_generations_aside(disk, directory.path, cut.generation));
  CCR_CO_TRY(co_await end_interrupted_cut(disk, directory, cut.generation));
  co_return *end;
}

}  // namespace ccr::storage
