#include "transport/page_packing.h"

#include <string>

#include <zstd.h>

#include "base/task.h"
#include "transport/log_packer.h"
#include "transport/messages.h"
#include "transport/zstd_frame.h"

namespace ccr::transport {
namespace {

Error broken_pages(std::string what) { return {ErrorKind::protocol, "packed pages: " + std::move(what), ""}; }
Error no_room_for_pages() { return {ErrorKind::full, "no memory to pack or unpack pages", ""}; }

// Everything that can be said before a byte is unpacked.
Result<void> judge_frame(ByteView packed, std::size_t images_bytes) {
  const Result<ZstdFrame> frame = read_zstd_frame(packed);
  if (!frame.ok()) return frame.error().within("packed pages");
  if (!frame->content_bytes) return broken_pages("a frame that does not say its length");
  if (*frame->content_bytes != images_bytes) {
    return broken_pages("a frame of " + std::to_string(*frame->content_bytes) + " bytes, the message says " +
                        std::to_string(images_bytes));
  }
  if (frame->window_bytes > std::uint64_t(1) << page_history_log_max) {
    return broken_pages("a history of " + std::to_string(frame->window_bytes) + " bytes");
  }
  const std::size_t whole = ZSTD_findFrameCompressedSize(packed.data(), packed.size());
  if (ZSTD_isError(whole) != 0) return Error{ErrorKind::corrupt, std::string("packed pages: ") + ZSTD_getErrorName(whole), ""};
  if (whole != packed.size()) {
    return broken_pages("a frame of " + std::to_string(whole) + " bytes in a message of " + std::to_string(packed.size()));
  }
  return {};
}

}  // namespace

Result<ByteView> PagePacker::pack(ByteView images, int level) {
  CCR_ASSERT(!images.empty() && images.size() <= tail_bytes_max && level >= 1 && level <= zstd_level_max);
  if (context_ == nullptr) {
    context_ = new_packing();
    if (context_ == nullptr) return no_room_for_pages();
  }
  packed_.resize(ZSTD_compressBound(tail_bytes_max));
  CCR_ASSERT(ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level)) == 0);
  CCR_ASSERT(ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_windowLog, page_history_log_max)) == 0);
  const std::size_t bytes = ZSTD_compress2(context_.get(), packed_.data(), packed_.size(), images.data(), images.size());
  if (ZSTD_isError(bytes) != 0) return no_room_for_pages();
  return ByteView(packed_).first(bytes);
}

Result<ByteView> PageUnpacker::unpack(ByteView packed, std::size_t images_bytes) {
  CCR_ASSERT(images_bytes > 0 && images_bytes <= tail_bytes_max);
  CCR_TRY(judge_frame(packed, images_bytes));
  if (context_ == nullptr) {
    context_ = new_unpacking();
    if (context_ == nullptr) return no_room_for_pages();
    images_ = AlignedBuffer(tail_bytes_max, AlignedBuffer::Content::any);
  }
  const ByteSpan images = images_.span().first(images_bytes);
  const std::size_t made = ZSTD_decompressDCtx(context_.get(), images.data(), images.size(), packed.data(), packed.size());
  if (ZSTD_isError(made) != 0) return Error{ErrorKind::corrupt, std::string("packed pages: ") + ZSTD_getErrorName(made), ""};
  if (made != images_bytes) return broken_pages(std::to_string(made) + " bytes, the frame says " + std::to_string(images_bytes));
  return ByteView(images);
}

}  // namespace ccr::transport
