// longer because: the clock, the disk, the writers and the readers of a log are one stage, and each is a few lines.
// What the tests of the log share: a clock that stands still, records whose content follows from their number, ways to write, read
// and ship them.
#pragma once

#include <gtest/gtest.h>

#include <numeric>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "base/random.h"
#include "storage/incoming_log.h"
#include "storage/log_reader.h"
#include "storage/log_stream.h"
#include "tests/memory_disk.h"

namespace ccr::storage::test {

class StillClock final : public Clock {
 public:
  Instant now() const override { return at; }
  WallTime wall_now() const override { return {1'750'000'000'000'000'000}; }
  Task<void> sleep_until(Instant) override { co_return; }
  Instant at;
};

template <class T>
Task<void> keep(Task<T> task, std::optional<T>& outcome) {
  outcome.emplace(co_await std::move(task));
}

// Runs a task to its end on an executor of its own.
template <class T>
T run(Task<T> task) {
  asio::io_context context;
  std::optional<T> outcome;
  asio::co_spawn(context, keep(std::move(task), outcome), [](std::exception_ptr failure) { EXPECT_EQ(failure, nullptr); });
  context.run();
  CCR_ASSERT(outcome.has_value());
  return std::move(*outcome);
}

inline const Signature signature_a = [] {
  Signature signature;
  for (std::size_t i = 0; i < signature.bytes.size(); ++i) signature.bytes[i] = std::byte(0xa0 + i);
  return signature;
}();
inline const std::string directory_a = "/active";
inline const std::string directory_p = "/passive";

// Record `number` of a test log: `images` pages, each filled from the number and the page.
inline Bytes image_of(CommitNumber number, PageNumber page, std::uint32_t page_size) {
  Bytes image(page_size);
  Random random(number * 1'000'003 + page);
  for (std::size_t at = 0; at + sizeof(std::uint64_t) <= image.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random.next();
    std::memcpy(image.data() + at, &word, sizeof(word));
  }
  return image;
}
inline RecordHeader header_of(CommitNumber number, std::uint32_t images) {
  RecordHeader header;
  header.kind = RecordKind::commit;
  header.number = number;
  header.wall = {static_cast<std::int64_t>(number) * 1'000'000'000};
  header.page_count = images + 7;
  header.images = images;
  header.cursor[0] = std::byte(number);
  return header;
}
inline Digest64 root_of(CommitNumber number) { return 0x1000 + number; }

inline Task<Result<Position>> write_pages(LogStream& log, RecordHeader header, std::vector<PageNumber> written, std::uint32_t page_size) {
  CCR_CO_TRY(co_await log.begin(header));
  for (const PageNumber page : written) {
    const Bytes image = image_of(header.number, page, page_size);
    const Page one{page, image};
    const std::span<const Page> pages(&one, 1);
    CCR_CO_TRY(co_await log.pages(pages));
  }
  co_return co_await log.end(root_of(header.number));
}
inline Task<Result<Position>> write_record(LogStream& log, std::uint32_t images, std::uint32_t page_size) {
  std::vector<PageNumber> written(images);
  std::iota(written.begin(), written.end(), PageNumber{1});
  return write_pages(log, header_of(log.last_commit() + 1, images), std::move(written), page_size);
}

// A log with its options; every helper runs to its end.
struct Active {
  explicit Active(MemoryDisk& d, std::uint32_t page_size = 512, std::uint64_t generation_bytes = 256 * KiB) : disk(d) {
    options.directory = directory_a;
    options.page_size = page_size;
    options.generation_bytes = generation_bytes;
  }
  Result<void> create() { return take(run(LogStream::create(disk, clock, options, signature_a))); }
  Result<void> open(Position proven = {}) { return take(run(LogStream::open(disk, clock, options, signature_a, proven))); }
  Result<void> take(Result<std::unique_ptr<LogStream>> opened) {
    if (!opened.ok()) return opened.error();
    log = std::move(*opened);
    return {};
  }
  Result<Position> write(std::uint32_t images) { return run(write_record(*log, images, options.page_size)); }
  Result<void> sync() { return run(log->sync()); }
  // One record, synced; stops the test's flow by its error.
  Result<void> commit(std::uint32_t images) {
    const Result<Position> end = write(images);
    if (!end.ok()) return end.error();
    return sync();
  }
  LogDirectory directory() const { return {options.directory, signature_a, options.page_size}; }

  MemoryDisk& disk;
  StillClock clock;
  LogOptions options;
  std::unique_ptr<LogStream> log;
};

struct ReadRecord {
  RecordHeader header;
  Position behind;
  bool pages_right = true;
};
struct ReadLog {
  std::vector<ReadRecord> records;
  std::vector<SealFacts> seals;
  Position position;
  std::optional<Error> error;
};

// Reads everything up to `limit` and compares the images with what write_record wrote.
inline Task<Result<void>> read_on(LogReader& reader, Position limit, std::uint32_t page_size, ReadLog& into) {
  while (true) {
    Result<std::optional<RecordHeader>> next = co_await reader.next(limit);
    if (!next.ok()) co_return next.error();
    const std::vector<SealFacts> seals = reader.take_seals();
    into.seals.insert(into.seals.end(), seals.begin(), seals.end());
    into.position = reader.position();
    if (!next->has_value()) co_return Result<void>();
    ReadRecord record{**next, {}, true};
    PageNumber expected = 1;
    while (true) {
      const Result<std::span<const Page>> pages = co_await reader.next_pages();
      if (!pages.ok()) co_return pages.error();
      if (pages->empty()) break;
      for (const Page& page : *pages) {
        const Bytes image = image_of(record.header.number, expected, page_size);
        const bool same = page.number == expected && page.image.size() == page_size &&
                          std::memcmp(page.image.data(), image.data(), page_size) == 0;
        record.pages_right = record.pages_right && same;
        ++expected;
      }
    }
    record.pages_right = record.pages_right && expected == record.header.images + 1;
    record.behind = reader.position();
    into.records.push_back(record);
  }
}

inline ReadLog read_all(MemoryDisk& disk, LogDirectory directory, Position from, Position limit) {
  LogReader reader(disk, directory, from);
  ReadLog log;
  const Result<void> read = run(read_on(reader, limit, directory.page_size, log));
  if (!read.ok()) log.error = read.error();
  log.position = reader.position();
  return log;
}

struct Passive {
  explicit Passive(const Active& active) : disk(active.disk), directory{directory_p, signature_a, active.options.page_size} {}
  Result<void> open(Position proven = {}, Generation start = {1}) {
    const IncomingLog::Start begin{start};
    Result<std::unique_ptr<IncomingLog>> opened = run(IncomingLog::open(disk, directory, begin, proven));
    if (!opened.ok()) return opened.error();
    log = std::move(*opened);
    return {};
  }
  // Ships from the active directory in chunks of `blocks` blocks until nothing durable is left; at most `chunks_max` of them.
  Result<void> ship(const Active& from, Position durable, std::size_t blocks, int chunks_max = 1 << 20) {
    BlockReader reader(disk, from.directory());
    Bytes buffer(blocks * block_bytes);
    for (int i = 0; i < chunks_max; ++i) {
      const Position wanted = log->wanted();
      const ByteSpan into(buffer);
      Result<BlockReader::Chunk> chunk = run(reader.read(wanted.generation, wanted.offset, durable, into));
      if (!chunk.ok()) return chunk.error();
      if (chunk->bytes == 0) return {};
      const ByteView bytes = ByteView(buffer).first(chunk->bytes);
      CCR_TRY(run(log->accept(chunk->generation, chunk->offset, bytes)));
    }
    return {};
  }

  MemoryDisk& disk;
  LogDirectory directory;
  std::unique_ptr<IncomingLog> log;
};

#define EXPECT_OK(expression)                                              \
  do {                                                                     \
    const auto& expect_ok_result = (expression);                           \
    EXPECT_TRUE(expect_ok_result.ok()) << expect_ok_result.error().message; \
  } while (false)
#define ASSERT_OK(expression)                                              \
  do {                                                                     \
    const auto& assert_ok_result = (expression);                           \
    ASSERT_TRUE(assert_ok_result.ok()) << assert_ok_result.error().message; \
  } while (false)

inline std::string text(Position position) { return to_text(position); }

// What a disk may keep of that which was not synced, for tests of all of it.
inline const auto any_part = testing::Values(Survives::nothing, Survives::names, Survives::content, Survives::everything, Survives::last_name);
inline std::string survives_name(const testing::TestParamInfo<Survives>& survives) {
  static constexpr const char* names[] = {"KeepsNothing", "KeepsNames", "KeepsContent", "KeepsEverything", "KeepsTheLastName"};
  return names[static_cast<int>(survives.param)];
}

}  // namespace ccr::storage::test

namespace ccr {
inline void PrintTo(const Position& position, std::ostream* out) { *out << to_text(position); }
}  // namespace ccr
