#include "storage/sqlite/newest_pages.h"

#include <algorithm>
#include <array>

namespace ccr::storage::sqlite {

void NewestPages::note(const WalCommit& commit) {
  for (const PageFrame& each : commit.pages) frames_[each.page] = each.frame;
  for (const PageFrame& each : commit.beyond) frames_[each.page] = each.frame;
}

// False also when the frame is another page's or another filling's by now: a checkpoint has brought ours into the file.
bool NewestPages::read_frame(PageNumber page, std::uint32_t frame, WalSalts salts, ByteSpan into) const {
  const std::uint64_t offset = frame_offset(frame, page_size_);
  if (!session_.read_wal(offset + frame_header_bytes, into)) return false;
  std::array<std::byte, frame_header_bytes> bytes{};
  if (!session_.read_wal(offset, bytes)) return false;  // read last: a writer stores a frame's header before its page
  const FrameHeader header = decode_frame_header(bytes);
  return header.page == page && header.salts == salts;
}

bool NewestPages::read(PageNumber page, WalSalts salts, ByteSpan into) const {
  if (page == lock_page(page_size_)) {
    std::fill(into.begin(), into.end(), std::byte{0});
    return true;
  }
  const auto known = file_only_ ? frames_.end() : frames_.find(page);
  if (known != frames_.end() && read_frame(page, known->second, salts, into)) return true;
  return session_.read_file(std::uint64_t(page - 1) * page_size_, into);
}

bool NewestPages::read_range(PageNumber first, std::uint32_t count, WalSalts salts, ByteSpan into) const {
  CCR_ASSERT(into.size() == std::size_t(count) * page_size_);
  if (!session_.read_file(std::uint64_t(first - 1) * page_size_, into)) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const PageNumber page = first + i;
    const bool in_wal = !file_only_ && frames_.contains(page);
    if (!in_wal && page != lock_page(page_size_)) continue;
    if (!read(page, salts, into.subspan(std::size_t(i) * page_size_, page_size_))) return false;
  }
  return true;
}

}  // namespace ccr::storage::sqlite
