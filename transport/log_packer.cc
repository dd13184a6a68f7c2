#include "transport/log_packer.h"

#include <bit>

#include <zstd.h>

#include "base/task.h"

namespace ccr::transport {
namespace {

Error no_memory(const char* what) {
  return {ErrorKind::full, std::string("no memory to pack log: ") + what, "lower transport.compression_memory"};
}

}  // namespace

Result<void> LogPacker::begin() {
  CCR_ASSERT(level_ >= 1 && level_ <= zstd_level_max);
  context_ = new_packing();
  if (context_ == nullptr) return no_memory("of a context");
  const auto set = [this](ZSTD_cParameter parameter, int value) {
    CCR_ASSERT(ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), parameter, value)) == 0);
  };
  set(ZSTD_c_compressionLevel, level_);
  set(ZSTD_c_windowLog, history_log_);
  set(ZSTD_c_enableLongDistanceMatching, 1);
  set(ZSTD_c_ldmHashLog, history_log_ - std::countr_zero(history_bytes_per_entry));
  if (level_ >= bounded_level_min) {
    constexpr int table_log = 20;
    set(ZSTD_c_hashLog, table_log);
    set(ZSTD_c_chainLog, table_log);
  }
  packed_.resize(ZSTD_compressBound(piece_bytes_max) + ZSTD_CStreamOutSize());  // and what frame and flush add
  return {};
}

Result<ByteView> LogPacker::pack(ByteView raw) {
  CCR_ASSERT(!raw.empty() && raw.size() <= piece_bytes_max);
  if (context_ == nullptr) CCR_TRY(begin());
  ZSTD_inBuffer in{raw.data(), raw.size(), 0};
  ZSTD_outBuffer out{packed_.data(), packed_.size(), 0};
  const std::size_t left = ZSTD_compressStream2(context_.get(), &out, &in, ZSTD_e_flush);
  if (ZSTD_isError(left) != 0) return no_memory(ZSTD_getErrorName(left));
  CCR_ASSERT(left == 0 && in.pos == in.size);  // there was room for all of it
  raw_bytes_ += raw.size();
  return ByteView(packed_).first(out.pos);
}

std::uint64_t LogPacker::memory_bytes() const {
  return context_ == nullptr ? 0 : ZSTD_sizeof_CCtx(context_.get()) + packed_.size();
}

}  // namespace ccr::transport
