// Any files as the directory of a log, opened as the active and the passive side do. The input is what became of a directory that a writer made:
// bytes changed, files cut, gone, renamed, doubled, blocks of one in another, with their checksums as they then are or made good again. Opening
// it gives an error in words that changed nothing (the active side's promise), or a log whose claims hold: its chain is proven, its records are
// read to its end, who opens it again finds the same, and what is written behind it is there for the next.
//
// The first byte says which side, which log and what is made good; the second what is proven durable elsewhere; the rest is changes.
#include <algorithm>
#include <array>
#include <map>

#include "storage/generation_file.h"
#include "storage/incoming_log.h"
#include "storage/log_reader.h"
#include "tests/fuzz/changed_file.h"
#include "tests/fuzz/prepared_log.h"

namespace {

using namespace ccr;
using namespace ccr::storage;

constexpr std::size_t changes_max = 64, file_bytes_max = 320 * KiB, files_max = 12;

struct Given {
  bool passive = false, checksums_good = false, chain_good = false;
  Prepared log = Prepared::short_log;
  Epoch epoch = 1;
  Position proven;
};

Given given_of(Decoder& in) {
  const std::uint8_t switches = in.u8(), proven = in.u8();
  Given given;
  given.passive = (switches & 1) != 0;
  given.log = (switches & 2) != 0 ? Prepared::long_log : Prepared::short_log;
  given.checksums_good = (switches & 4) != 0;
  given.chain_good = given.checksums_good && (switches & 8) != 0;
  given.epoch = (switches & 16) != 0 ? 2 : 1;
  if (proven != 0) given.proven = {{proven / std::uint64_t(32)}, Position::first_offset + proven % 32 * block_bytes};
  return given;
}

// The directory as a list of files, while it is changed.
class Directory {
 public:
  explicit Directory(const Given& given) : passive_(given.passive), files_(prepared_files(given.log)) {
    if (passive_) files_.back().first = incoming_path(prepared_directory, {files_.size()});
  }

  void change(Decoder& in) {
    if (files_.empty()) return raw(in);
    switch (in.u8() % 11) {
      case 0: return patch(in);
      case 1: return cut(in);
      case 2: return drop(in);
      case 3: return rename(in);
      case 4: return copy(in);
      case 5: return copy_block(in);
      case 6: return clear_block(in);
      case 7: return put_record(in);
      case 8: return renumber(in);
      case 9: return lengthen(in);
      default: return raw(in);
    }
  }

  void make_good(const Given& given) {
    std::map<std::uint64_t, Digest128> digests;
    for (int turn = 0; turn < 2; ++turn) {  // the second knows the digest of the last sealed one, whatever the order of the files
      for (auto& [path, bytes] : files_) make_good(bytes, given.chain_good, digests);
    }
  }
  const Files& files() const { return files_; }

 private:
  // Where the formats have what is made good here (storage/README.md).
  static constexpr std::size_t checksum_bytes = 8, number_at = 16, previous_at = 48, content_at = 24;

  std::string name_of(std::uint8_t choice) const {
    constexpr std::array<const char*, 6> others{current_name, prepared_name, next_name, recovered_name, "spare.0", "foreign"};
    const Generation numbered{std::uint64_t(choice / 16) + 1};
    if (choice % 8 < 2) return choice % 8 == 1 && passive_ ? incoming_path(prepared_directory, numbered) : sealed_path(prepared_directory, numbered);
    return path_in(prepared_directory, others[choice % 8 - 2]);
  }

  Bytes& any_file(Decoder& in) { return files_[in.u8() % files_.size()].second; }

  void patch(Decoder& in) { patch_block(in, any_file(in)); }
  void cut(Decoder& in) { cut_file(in, any_file(in)); }
  void drop(Decoder& in) { files_.erase(files_.begin() + in.u8() % std::ptrdiff_t(files_.size())); }
  void rename(Decoder& in) {
    const std::size_t file = in.u8() % files_.size();
    files_[file].first = name_of(in.u8());
  }
  void copy(Decoder& in) {
    Bytes bytes = any_file(in);
    add(name_of(in.u8()), std::move(bytes));
  }
  void copy_block(Decoder& in) {
    Bytes& from = any_file(in);
    const ByteSpan source = any_block(in, from);
    Bytes& to = any_file(in);
    const ByteSpan target = any_block(in, to);
    put_block(source, target);
  }
  void clear_block(Decoder& in) {
    Bytes& bytes = any_file(in);
    const ByteSpan block = any_block(in, bytes);
    std::fill(block.begin(), block.end(), std::byte{0});
  }
  // A record's header is not found by chance either: it has a checksum of its own.
  void put_record(Decoder& in) {
    Bytes& bytes = any_file(in);
    const ByteSpan block = any_block(in, bytes);
    const std::size_t at = in.u16() % (block_bytes - RecordHeader::encoded_bytes);
    RecordHeader header;
    header.kind = static_cast<RecordKind>(1 + in.u8() % 3);
    header.number = 1 + in.u8();
    header.images = header.kind == RecordKind::base_marker ? 0 : in.u16() % 1024;
    header.page_count = in.u8();
    if (!block.empty()) encode_record_header(header, block.subspan(at, RecordHeader::encoded_bytes));
  }
  // The same generation under another number, in each of its blocks.
  void renumber(Decoder& in) {
    Bytes& bytes = any_file(in);
    const std::uint8_t low = in.u8(), high = in.u8();
    const std::uint64_t number = high == 0xff ? ~std::uint64_t(low) : low;
    for (std::size_t at = 0; at + block_bytes <= bytes.size(); at += block_bytes) Encoder(ByteSpan(bytes).subspan(at + number_at)).u64(number);
  }
  void lengthen(Decoder& in) {
    Bytes& bytes = any_file(in);
    const std::size_t blocks = in.u8() % 8;
    const std::byte fill{in.u8()};
    if (bytes.size() + blocks * block_bytes <= file_bytes_max) bytes.resize(bytes.size() + blocks * block_bytes, fill);
  }
  void raw(Decoder& in) {
    const std::string name = name_of(in.u8());
    const std::size_t wanted = in.u16();
    const ByteView bytes = in.bytes(std::min(wanted, in.remaining()));
    add(name, Bytes(bytes.begin(), bytes.end()));
  }
  void add(std::string name, Bytes bytes) {
    if (files_.size() < files_max) files_.emplace_back(std::move(name), std::move(bytes));
  }

  static void make_good(Bytes& bytes, bool chain, std::map<std::uint64_t, Digest128>& digests) {
    if (bytes.size() < block_bytes) return;
    const ByteSpan head = ByteSpan(bytes).first(block_bytes);
    const Generation generation{Decoder(ByteView(head).subspan(number_at)).u64()};
    const auto before = digests.find(generation.previous().number);
    if (chain && before != digests.end()) Encoder(head.subspan(previous_at)).bytes(before->second.bytes);
    constexpr std::uint64_t header_seed = 0x67726363;
    Encoder(head).u64(digest64(head.subspan(checksum_bytes), header_seed));
    StreamDigest digest;
    digest.update(head);
    for (std::size_t number = 1; (number + 1) * block_bytes <= bytes.size(); ++number) {
      const ByteSpan block = ByteSpan(bytes).subspan(number * block_bytes, block_bytes);
      if (is_zero(block)) continue;
      const bool seal = is_seal(block);
      if (seal && chain) Encoder(block.subspan(content_at)).bytes(digest.digest().bytes);
      Encoder(block).u64(block_checksum(prepared_signature(), generation, static_cast<std::uint32_t>(number), block));
      digest.update(block);
      if (seal) digests[generation.number] = digest.digest();
    }
  }

  bool passive_;
  Files files_;
};

struct Stage : FuzzedWorld {
  explicit Stage(const Given& g) : given(g) {}
  template <class T>
  T run(Task<T> task) {
    return sim::complete(world, std::move(task));
  }
  const Given given;
  MemoryDisk disk;
};

void check_words(const Error& error) { CCR_ASSERT(!error.message.empty() && error.kind != ErrorKind::io && error.kind != ErrorKind::stopped); }

struct ReadLog {
  CommitNumber last = 0;
  Position position;
};

Task<Result<ReadLog>> read_log(Disk& disk, Position from, Position limit) {
  ReadLog log;
  LogReader reader(disk, prepared_place(), from);
  for (;;) {
    const Result<std::optional<RecordHeader>> next = co_await reader.next(limit);
    if (!next.ok()) co_return next.error();
    log.position = reader.position();
    if (!next->has_value()) co_return log;
    std::uint64_t images = 0;
    for (;;) {
      const Result<std::span<const Page>> pages = co_await reader.next_pages();
      if (!pages.ok()) co_return pages.error();
      if (pages->empty()) break;
      images += pages->size();
    }
    CCR_ASSERT((*next)->number > log.last && images == (*next)->images);
    log.last = (*next)->number;
  }
}

bool without_hole(const std::vector<GenerationFile>& files) {
  for (std::size_t i = 1; i < files.size(); ++i) {
    if (files[i - 1].generation.next() != files[i].generation) return false;
  }
  return !files.empty();
}

// All that the directory holds, where nothing of it is missing: older files before a hole belong to no log.
void check_held(Stage& stage, Position end, CommitNumber last) {
  const Result<std::vector<GenerationFile>> files = stage.run(list_generations(stage.disk, prepared_directory));
  CCR_ASSERT(files.ok());
  if (!without_hole(*files)) return;
  const Result<std::vector<ChainLink>> chain = stage.run(verify_chain(stage.disk, prepared_directory));
  must_be_ok(chain);
  CCR_ASSERT(chain->size() == files->size());
  const Result<GenerationFacts> first = stage.run(inspect_generation(stage.disk, files->front().path, prepared_signature()));
  must_be_ok(first);
  if (first->header.carried) return;  // its first record began in a file that is not held
  const Result<ReadLog> read = stage.run(read_log(stage.disk, Position::start_of(first->header.generation), end));
  // What stands in a record's body is looked at by who reads it, behind checksums that only a writer makes.
  if (!read.ok() && stage.given.checksums_good) return check_words(read.error());
  must_be_ok(read);
  CCR_ASSERT(read->position == end);
  CCR_ASSERT(read->last == last || (read->last == 0 && last == first->header.first_commit - 1));
}

bool same(const Files& a, const Files& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& one, const auto& other) {
    return one.first == other.first && one.second.size() == other.second.size() &&
           (one.second.empty() || std::memcmp(one.second.data(), other.second.data(), one.second.size()) == 0);
  });
}

using Stream = Result<std::unique_ptr<LogStream>>;

Stream open_stream(Stage& stage, Position proven) {
  LogOptions options = prepared_options();
  options.epoch = stage.given.epoch;
  return stage.run(LogStream::open(stage.disk, stage.clock, std::move(options), prepared_signature(), proven));
}

void open_active(Stage& stage) {
  const Files before = stage.disk.all();
  Stream log = open_stream(stage, stage.given.proven);
  if (!log.ok()) {
    check_words(log.error());
    CCR_ASSERT(same(stage.disk.all(), before));
    return;
  }
  const LogEnd found = (*log)->recovered();
  CCR_ASSERT(found.end >= stage.given.proven && (*log)->durable() >= found.end && (*log)->last_commit() == found.last_commit);
  check_held(stage, (*log)->durable(), found.last_commit);
  const Result<void> written = stage.run(write_prepared(**log, 1));
  must_be_ok(written);
  CCR_ASSERT((*log)->last_commit() == found.last_commit + 1);
  const Position durable = (*log)->durable();
  (*log).reset();
  const Stream again = open_stream(stage, durable);
  must_be_ok(again);
  CCR_ASSERT((*again)->durable() == durable && (*again)->last_commit() == found.last_commit + 1);
  check_held(stage, durable, found.last_commit + 1);
}

using Incoming = Result<std::unique_ptr<IncomingLog>>;

Incoming open_incoming_log(Stage& stage, Position proven) {
  const IncomingLog::Start begin;
  return stage.run(IncomingLog::open(stage.disk, prepared_place(), begin, proven));
}

// The blocks that it wants next, of the log as the writer made it.
Result<void> feed(Stage& stage, IncomingLog& log) {
  const Files& right = prepared_files(stage.given.log);
  const Position wanted = log.wanted();
  if (wanted.generation.number == 0 || wanted.generation.number > right.size()) return {};
  const ByteView bytes = right[wanted.generation.number - 1].second;
  if (wanted.offset >= bytes.size()) return {};
  return stage.run(log.accept(wanted.generation, wanted.offset, bytes.subspan(wanted.offset)));
}

void open_passive(Stage& stage, Generation aside) {
  Incoming log = open_incoming_log(stage, stage.given.proven);
  if (!log.ok()) return check_words(log.error());
  CCR_ASSERT((*log)->durable() >= stage.given.proven && (*log)->durable() == (*log)->received());
  for (std::size_t turn = 0; turn < 4; ++turn) {
    const Result<void> fed = feed(stage, **log);
    if (!fed.ok()) check_words(fed.error());
    if (!fed.ok()) break;
  }
  CCR_ASSERT(!(*log)->failed());
  const Result<void> synced = stage.run((*log)->sync());
  must_be_ok(synced);
  CCR_ASSERT((*log)->durable() == (*log)->received());
  const Position durable = (*log)->durable(), wanted = (*log)->wanted();
  const bool holds_log = (*log)->first().number != 0;
  (*log).reset();
  const Incoming again = open_incoming_log(stage, holds_log ? durable : Position());
  must_be_ok(again);
  if (!holds_log) return;  // where it begins its owner has to know
  CCR_ASSERT((*again)->durable() == durable && (*again)->wanted() == wanted);
  if (aside.number == 0 || aside < (*again)->first() || aside > wanted.generation) return;
  const Result<void> moved = stage.run((*again)->set_aside(aside));
  must_be_ok(moved);
  CCR_ASSERT((*again)->wanted() == (Position{aside, 0}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  Decoder in(std::as_bytes(std::span(data, size)));
  Stage stage(given_of(in));
  const Generation aside{data[1] % std::uint64_t(5)};
  Directory directory(stage.given);
  for (std::size_t i = 0; i < changes_max && in.remaining() > 0; ++i) directory.change(in);
  if (stage.given.checksums_good) directory.make_good(stage.given);
  const Result<void> made = stage.run(stage.disk.make_directories(prepared_directory + "/" + incoming_folder));
  CCR_ASSERT(made.ok());
  for (const auto& [path, bytes] : directory.files()) stage.disk.put(path, bytes);
  if (stage.given.passive) {
    open_passive(stage, aside);
  } else {
    open_active(stage);
  }
  return 0;
}
