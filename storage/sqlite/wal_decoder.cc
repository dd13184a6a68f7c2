#include "storage/sqlite/wal_decoder.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace ccr::storage::sqlite {
namespace {

constexpr std::size_t checked_header_bytes = 8;  // page number and commit size; salts and checksum are not summed

}  // namespace

WalDecoder::WalDecoder(WalShape shape, std::uint32_t frame, WalChecksum checksum)
    : shape_(shape), next_frame_(frame + 1), checksum_(checksum) {
  CCR_ASSERT(frame < std::numeric_limits<std::uint32_t>::max());
}

WalDecoder::Outcome WalDecoder::feed(ByteView bytes, std::uint32_t limit) {
  const std::size_t stride = frame_bytes(shape_.page_size);
  while (bytes.size() >= stride) {
    if (next_frame_ > limit) return Outcome::limit;
    const FrameHeader header = decode_frame_header(bytes.first(frame_header_bytes));
    if (header.salts != shape_.salts || header.page == 0) return Outcome::invalid;
    const WalChecksum of_header = wal_checksum(shape_.big_endian, checksum_, bytes.first(checked_header_bytes));
    const WalChecksum sum = wal_checksum(shape_.big_endian, of_header, bytes.subspan(frame_header_bytes, shape_.page_size));
    if (sum != header.checksum) return Outcome::invalid;
    checksum_ = sum;
    open_.push_back({header.page, next_frame_});
    ++next_frame_;
    bytes = bytes.subspan(stride);
    if (header.commit_pages != 0) {
      finish(header);
      return Outcome::commit;
    }
  }
  return next_frame_ > limit ? Outcome::limit : Outcome::more;
}

void WalDecoder::finish(const FrameHeader& header) {
  commit_ = WalCommit{next_frame_ - 1, header.commit_pages, checksum_, {}, {}};
  // The last frame of a page wins; frames rise, so behind this sort it is the last of its page.
  std::sort(open_.begin(), open_.end(), [](const PageFrame& a, const PageFrame& b) {
    return a.page != b.page ? a.page < b.page : a.frame < b.frame;
  });
  for (std::size_t i = 0; i < open_.size(); ++i) {
    const bool last_of_page = i + 1 == open_.size() || open_[i + 1].page != open_[i].page;
    if (!last_of_page) continue;
    (open_[i].page <= header.commit_pages ? commit_.pages : commit_.beyond).push_back(open_[i]);
  }
  open_.clear();
  const auto by_frame = [](const PageFrame& a, const PageFrame& b) { return a.frame < b.frame; };
  std::sort(commit_.pages.begin(), commit_.pages.end(), by_frame);
}

WalCommit WalDecoder::take_commit() {
  CCR_ASSERT(commit_.last_frame != 0);
  return std::exchange(commit_, WalCommit{});
}

}  // namespace ccr::storage::sqlite
