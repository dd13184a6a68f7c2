// libzstd's contexts, owned. Its header stays out of everybody else's.
#pragma once

#include <memory>

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace ccr::transport {

struct ZstdFree {
  void operator()(ZSTD_CCtx_s* context) const noexcept;
  void operator()(ZSTD_DCtx_s* context) const noexcept;
};
using ZstdPacking = std::unique_ptr<ZSTD_CCtx_s, ZstdFree>;
using ZstdUnpacking = std::unique_ptr<ZSTD_DCtx_s, ZstdFree>;

// Null: no memory.
ZstdPacking new_packing();
ZstdUnpacking new_unpacking();
const char* zstd_version() noexcept;  // of the library that runs

}  // namespace ccr::transport
