// Logs that a real writer made, for the fuzzers to begin with what is right, in pages of 512 bytes. The same bytes at every call.
//
// Both begin with two sealed generations of a few blocks. The short one goes on with an open one; in the long one the third is full, and its last
// record goes on in the fourth, which is the open one.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "storage/log_stream.h"
#include "tests/fuzz/fuzzed_world.h"
#include "tests/memory_disk.h"

namespace ccr::storage {

inline constexpr std::uint32_t prepared_page_size = page_size_min;
inline const std::string prepared_directory = "/log";

inline Signature prepared_signature() {
  Signature signature;
  signature.bytes.fill(std::byte{0x5a});
  return signature;
}

inline LogOptions prepared_options() {
  LogOptions options;
  options.directory = prepared_directory;
  options.page_size = prepared_page_size;
  options.generation_bytes = generation_bytes_min;
  return options;
}

inline LogDirectory prepared_place() { return {prepared_directory, prepared_signature(), prepared_page_size}; }

// One more record of `images` pages, durably.
inline Task<Result<void>> write_prepared(LogStream& log, std::uint32_t images) {
  RecordHeader header;
  header.kind = RecordKind::commit;
  header.number = log.last_commit() + 1;
  header.page_count = images + 7;
  header.images = images;
  CCR_CO_TRY(co_await log.begin(header));
  std::array<std::byte, prepared_page_size> image;
  image.fill(std::byte(header.number));
  for (PageNumber number = 1; number <= images; ++number) {
    const Page page{number, image};
    const std::span<const Page> pages(&page, 1);
    CCR_CO_TRY(co_await log.pages(pages));
  }
  const Result<Position> ended = co_await log.end(0x1000 + header.number);
  if (!ended.ok()) co_return ended.error();
  co_return co_await log.sync();
}

enum class Prepared { short_log, long_log };

inline Task<Result<void>> write_all_prepared(Disk& disk, Clock& clock, Prepared which) {
  LogOptions options = prepared_options();
  Result<std::unique_ptr<LogStream>> log = co_await LogStream::create(disk, clock, std::move(options), prepared_signature());
  if (!log.ok()) co_return log.error();
  constexpr std::uint32_t two_blocks = 12, across = 520;
  for (const std::uint32_t images : {1u, two_blocks, 0u}) {
    CCR_CO_TRY(co_await write_prepared(**log, images));
    if (images != 1) CCR_CO_TRY(co_await (*log)->roll());
  }
  const std::uint32_t third = which == Prepared::long_log ? across : two_blocks;
  for (const std::uint32_t images : {third, 2u, 1u}) CCR_CO_TRY(co_await write_prepared(**log, images));
  co_return Result<void>();
}

using Files = std::vector<std::pair<std::string, Bytes>>;

inline Files make_prepared(Prepared which) {
  FuzzedWorld fuzzed;
  MemoryDisk disk;
  const Result<void> written = sim::complete(fuzzed.world, write_all_prepared(disk, fuzzed.clock, which));
  CCR_ASSERT(written.ok());
  Files made = disk.all();
  for (auto& [path, bytes] : made) {  // without the zeros that wait to be written on
    while (bytes.size() > block_bytes && is_zero(ByteView(bytes).last(block_bytes))) bytes.resize(bytes.size() - block_bytes);
  }
  CCR_ASSERT(made.size() == (which == Prepared::long_log ? 4 : 3) && made.back().first == prepared_directory + "/current.log");
  return made;
}

// In the order of their numbers; the open one, current.log, is the last.
inline const Files& prepared_files(Prepared which) {
  static const Files short_log = make_prepared(Prepared::short_log), long_log = make_prepared(Prepared::long_log);
  return which == Prepared::short_log ? short_log : long_log;
}

}  // namespace ccr::storage
