// Any bytes as the table of a database's page digests: one that was written, with bytes changed, blocks put elsewhere, cut, and with its header's
// checksum as it then is or made good. What is read is a table whose root is the sum of what it says; what is not has words; and either way the
// table that is written behind it is there for who reads next.
//
// The first byte says whether the checksum is made good; the rest is changes.
#include "storage/page_digests.h"
#include "tests/fuzz/changed_file.h"
#include "tests/fuzz/fuzzed_disk.h"

namespace {

using namespace ccr;
using storage::PageDigests;

const std::string directory = "/copy", table_path = directory + "/digests";
constexpr std::uint32_t page_size = 512;
constexpr PageNumber prepared_pages = 1100;  // three blocks of entries

Task<Result<void>> write_table(storage::Disk& disk, PageNumber pages, std::uint64_t salt) {
  PageDigests table(disk, table_path, page_size);
  table.resize(pages);
  for (PageNumber page = 1; page <= pages; page += 3) table.set(page, page * salt);
  co_return co_await table.flush();
}

const Bytes& prepared() {
  static const Bytes bytes = [] {
    FuzzedDisk made(directory);
    made.play(write_table(made.disk, prepared_pages, 0x9e3779b97f4a7c15));
    return made.disk.content(table_path);
  }();
  return bytes;
}

// The checksum of the header covers what stands before it, with the magic as its seed.
void make_good(Bytes& bytes) {
  constexpr std::size_t checksum_at = 24;
  if (bytes.size() < changed_block_bytes) return;
  const ByteSpan head(bytes);
  Encoder(head.subspan(checksum_at)).u64(digest64(head.first(checksum_at), Decoder(ByteView(head)).u64()));
}

void check(const PageDigests& table) {
  Digest64 sum = 0, extents = 0;
  for (PageNumber page = 1; page <= table.page_count(); ++page) sum += table.at(page);
  for (std::uint32_t extent = 0; extent < storage::extent_count(table.page_count(), page_size); ++extent) extents += table.extent(extent);
  CCR_ASSERT(table.root() == sum && extents == sum);
}

Task<Result<void>> read_and_write(storage::Disk& disk) {
  PageDigests table(disk, table_path, page_size);
  const Result<void> loaded = co_await table.load();
  if (!loaded.ok()) {
    const ErrorKind kind = loaded.error().kind;
    CCR_ASSERT((kind == ErrorKind::corrupt || kind == ErrorKind::unsupported) && !loaded.error().message.empty());
  }
  check(table);
  table.resize(table.page_count() + 2);
  table.set(table.page_count(), 5);
  CCR_CO_TRY(co_await table.flush());
  PageDigests again(disk, table_path, page_size);
  CCR_CO_TRY(co_await again.load());
  CCR_ASSERT(again.page_count() == table.page_count() && again.root() == table.root() && again.at(again.page_count()) == 5);
  check(again);
  co_return Result<void>();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ChangedFile file(std::as_bytes(std::span(data, size)), prepared(), make_good);
  FuzzedDisk given(directory);
  given.disk.put(table_path, file.bytes);
  given.play(read_and_write(given.disk));
  return 0;
}
