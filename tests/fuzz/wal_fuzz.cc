// Any bytes as a WAL, a wal-index and a cursor: nothing may crash, and what is accepted must keep its promises.
#include <algorithm>
#include <set>

#include "storage/sqlite/sqlite_cursor.h"
#include "storage/sqlite/wal_decoder.h"

namespace {

using namespace ccr;
using namespace ccr::storage;
using namespace ccr::storage::sqlite;

void check(const WalCommit& commit, std::uint32_t limit) {
  CCR_ASSERT(commit.last_frame <= limit && commit.page_count > 0 && !(commit.pages.empty() && commit.beyond.empty()));
  std::set<PageNumber> pages;
  std::uint32_t frame = 0;
  for (const PageFrame& each : commit.pages) {
    CCR_ASSERT(each.page >= 1 && each.page <= commit.page_count && pages.insert(each.page).second);
    CCR_ASSERT(each.frame > frame && each.frame <= commit.last_frame);
    frame = each.frame;
  }
}

// A fuzzer does not find checksums: the frames are given good ones, so that what lies behind the check is reached too.
void repair(std::vector<std::byte>& wal) {
  const auto put = [&](std::size_t at, WalChecksum sum) {
    for (std::size_t i = 0; i < 4; ++i) {
      wal[at + i] = static_cast<std::byte>(sum.first >> (24 - 8 * i));
      wal[at + 4 + i] = static_cast<std::byte>(sum.second >> (24 - 8 * i));
    }
  };
  if (wal.size() < wal_header_bytes) return;
  constexpr unsigned char fixed[] = {0x37, 0x7f, 0x06, 0x82, 0x00, 0x2d, 0xe2, 0x18, 0x00, 0x00, 0x02, 0x00};
  for (std::size_t i = 0; i < sizeof fixed; ++i) wal[i] = std::byte{fixed[i]};
  WalChecksum sum = wal_checksum(false, {}, ByteView(wal).first(24));
  put(24, sum);
  constexpr std::size_t page_size = 512;
  for (std::size_t at = wal_header_bytes; at + frame_header_bytes + page_size <= wal.size(); at += frame_header_bytes + page_size) {
    std::copy_n(wal.begin() + 16, 8, wal.begin() + static_cast<std::ptrdiff_t>(at) + 8);
    sum = wal_checksum(false, sum, ByteView(wal).subspan(at, 8));
    sum = wal_checksum(false, sum, ByteView(wal).subspan(at + frame_header_bytes, page_size));
    put(at + 16, sum);
  }
}

void decode(ByteView wal, std::uint32_t limit, std::size_t frames_at_once) {
  const std::optional<WalHeader> header = decode_wal_header(wal);
  if (!header) return;
  const std::size_t stride = frame_bytes(header->page_size);
  WalDecoder decoder({header->page_size, header->big_endian, header->salts}, 0, header->checksum);
  for (;;) {
    const std::uint64_t offset = frame_offset(decoder.next_frame(), header->page_size);
    const ByteView rest = offset < wal.size() ? wal.subspan(offset) : ByteView();
    const WalDecoder::Outcome outcome = decoder.feed(rest.first(std::min(rest.size(), frames_at_once * stride)), limit);
    if (outcome == WalDecoder::Outcome::commit) {
      check(decoder.take_commit(), limit);
    } else if (outcome != WalDecoder::Outcome::more || rest.size() < stride) {
      return;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  const std::uint32_t limit = bytes[0];
  const std::size_t frames_at_once = 1 + bytes[1] % 8;
  const ByteView input = std::as_bytes(std::span(bytes + 2, size - 2));
  decode(input, limit, frames_at_once);
  std::vector<std::byte> repaired(input.begin(), input.end());
  repair(repaired);
  decode(repaired, limit, frames_at_once);
  decode_wal_index(input);
  SourceCursor cursor{};
  std::copy_n(input.begin(), std::min(input.size(), cursor.size()), cursor.begin());
  decode_cursor(cursor);
  return 0;
}
