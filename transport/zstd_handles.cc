#include "transport/zstd_handles.h"

#include <zstd.h>

namespace ccr::transport {

void ZstdFree::operator()(ZSTD_CCtx_s* context) const noexcept { ZSTD_freeCCtx(context); }
void ZstdFree::operator()(ZSTD_DCtx_s* context) const noexcept { ZSTD_freeDCtx(context); }

ZstdPacking new_packing() { return ZstdPacking(ZSTD_createCCtx()); }
ZstdUnpacking new_unpacking() { return ZstdUnpacking(ZSTD_createDCtx()); }
const char* zstd_version() noexcept { return ZSTD_versionString(); }

}  // namespace ccr::transport
