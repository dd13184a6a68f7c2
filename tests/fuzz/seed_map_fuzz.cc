// Any bytes as the file in which a seed remembers what it has done: what a target wrote, with bytes changed, blocks put elsewhere, cut, and with
// the checksums as they then are or made good again. Reading it is no error but of a version, what it says is within the pass that it names, and
// with checksums as they are nothing is done that was not. A pass that begins on it is there for who reads it next.
//
// The first byte says whether checksums are made good; the rest is changes.
#include "seed/seed_map.h"
#include "seed/seed_plan.h"
#include "tests/fuzz/changed_file.h"
#include "tests/fuzz/fuzzed_disk.h"

namespace {

using namespace ccr;
using seed::SeedMap;

const std::string directory = "/copy", map_path = directory + "/seed.map";
constexpr std::uint32_t page_size = 4096, prepared_extents = SeedMap::extents_per_block + 5;
constexpr std::uint32_t marked[] = {0, 7, 8, SeedMap::extents_per_block - 1, SeedMap::extents_per_block, SeedMap::extents_per_block + 4};

seed::SeedPassId pass_of(std::uint64_t generation) { return {{{generation}, 4096}, 17, prepared_extents * storage::pages_per_extent(page_size), page_size}; }

Task<Result<void>> write_pass(SeedMap& map, std::uint64_t generation) {
  CCR_CO_TRY(co_await map.reset(pass_of(generation)));
  for (const std::uint32_t extent : marked) map.mark(extent);
  const seed::SeedCounts counts{5, 1, 5 * MiB, 5 * MiB};
  co_return co_await map.flush(counts);
}

Task<Result<void>> write_twice(storage::Disk& disk) {
  SeedMap map(disk, directory);
  CCR_CO_TRY(co_await map.load());
  CCR_CO_TRY(co_await write_pass(map, 1));
  co_return co_await write_pass(map, 2);
}

const Bytes& prepared() {
  static const Bytes bytes = [] {
    FuzzedDisk made(directory);
    made.play(write_twice(made.disk));
    return made.disk.content(map_path);
  }();
  return bytes;
}

// Each block stands in two slots, and its number is the seed of its checksum.
void make_good(Bytes& bytes) {
  constexpr std::size_t checksum_bytes = 8;
  for (std::size_t slot = 0; (slot + 1) * SeedMap::block_bytes <= bytes.size(); ++slot) {
    const ByteSpan block = ByteSpan(bytes).subspan(slot * SeedMap::block_bytes, SeedMap::block_bytes);
    Encoder(block).u64(digest64(block.subspan(checksum_bytes), slot / 2));
  }
}

void check(const SeedMap& map, bool as_written) {
  if (!map.known()) return CCR_ASSERT(map.extents() == 0 && map.done_count() == 0);
  CCR_ASSERT(map.extents() == seed::extents_of(map.pass().page_count, map.pass().page_size));
  constexpr std::uint32_t looked_at_max = 4 * prepared_extents;  // there may be many where a header says so, with a good checksum
  if (map.extents() > looked_at_max) return;
  std::uint32_t done = 0;
  for (std::uint32_t extent = 0; extent < map.extents(); ++extent) {
    if (!map.done(extent)) continue;
    ++done;
    CCR_ASSERT(map.believed(extent));
    if (as_written) CCR_ASSERT(std::count(std::begin(marked), std::end(marked), extent) == 1);
  }
  CCR_ASSERT(done == map.done_count());
  if (as_written) CCR_ASSERT(map.pass() == pass_of(1) || map.pass() == pass_of(2));
}

Task<Result<void>> read_and_begin(storage::Disk& disk, bool as_written) {
  SeedMap map(disk, directory);
  const Result<void> loaded = co_await map.load();
  if (!loaded.ok()) {
    CCR_ASSERT(loaded.error().kind == ErrorKind::unsupported && !loaded.error().message.empty());
    co_return Result<void>();
  }
  check(map, as_written);
  CCR_CO_TRY(co_await write_pass(map, 3));
  SeedMap again(disk, directory);
  CCR_CO_TRY(co_await again.load());
  CCR_ASSERT(again.pass() == pass_of(3) && !again.settled() && again.done_count() == std::size(marked));
  for (const std::uint32_t extent : marked) CCR_ASSERT(again.done(extent));
  co_return Result<void>();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ChangedFile file(std::as_bytes(std::span(data, size)), prepared(), make_good);
  FuzzedDisk given(directory);
  given.disk.put(map_path, file.bytes);
  given.play(read_and_begin(given.disk, !file.good));
  return 0;
}
