#include "transport/log_unpacker.h"

#include <string>

#include <zstd.h>
#include <zstd_errors.h>

#include "base/task.h"
#include "transport/zstd_frame.h"

namespace ccr::transport {
namespace {

Error broken(std::string what) { return {ErrorKind::protocol, "packed log: " + std::move(what), ""}; }

Error fault_of(std::size_t code) {
  if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation)
    return {ErrorKind::full, "no memory to unpack log", "lower transport.compression_memory"};
  return {ErrorKind::corrupt, std::string("packed log: ") + ZSTD_getErrorName(code), ""};
}

}  // namespace

Result<void> LogUnpacker::begin(ByteView packed) {
  context_.reset();
  const Result<ZstdFrame> frame = read_zstd_frame(packed);
  if (!frame.ok()) return frame.error().within("packed log");
  if (frame->window_bytes > std::uint64_t(1) << history_log_) {
    return broken("a history of " + std::to_string(frame->window_bytes) + " bytes, granted were " +
                  std::to_string(std::uint64_t(1) << history_log_));
  }
  if (frame->content_bytes) return broken("a stream that says where it ends");
  context_ = new_unpacking();
  if (context_ == nullptr) return Error{ErrorKind::full, "no memory to unpack log", "lower transport.compression_memory"};
  CCR_ASSERT(ZSTD_isError(ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, history_log_)) == 0);
  return {};
}

Result<void> LogUnpacker::unpack(ByteView packed, ByteSpan raw) {
  if (!begun()) return broken("a piece of a stream that did not begin");
  CCR_ASSERT(!raw.empty());
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  ZSTD_outBuffer out{raw.data(), raw.size(), 0};
  for (bool moved = true; moved && (in.pos < in.size || out.pos < out.size);) {
    const std::size_t read = in.pos, made = out.pos;
    const std::size_t code = ZSTD_decompressStream(context_.get(), &out, &in);
    if (ZSTD_isError(code) != 0) return fault_of(code);
    if (code == 0) return broken("the stream ends");
    moved = in.pos > read || out.pos > made;
  }
  if (in.pos < in.size) return broken("more than " + std::to_string(raw.size()) + " bytes in a piece");
  if (out.pos < out.size) {
    return broken("a piece of " + std::to_string(out.pos) + " bytes, it says " + std::to_string(raw.size()));
  }
  // What the library may hold back because there was no room for it.
  std::byte beyond{0};
  ZSTD_outBuffer probe{&beyond, 1, 0};
  const std::size_t code = ZSTD_decompressStream(context_.get(), &probe, &in);
  if (ZSTD_isError(code) != 0) return fault_of(code);
  if (probe.pos > 0) return broken("more than " + std::to_string(raw.size()) + " bytes in a piece");
  return {};
}

std::uint64_t LogUnpacker::memory_bytes() const { return context_ == nullptr ? 0 : ZSTD_sizeof_DCtx(context_.get()); }

}  // namespace ccr::transport
