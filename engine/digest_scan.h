// Builds a digest table anew from the pages of a file that nobody writes meanwhile. The table is set in memory; the caller flushes it.
#pragma once

#include "storage/page_digests.h"
#include "storage/page_file.h"

namespace ccr::engine {

Task<Result<void>> scan_digests(storage::PageFile& file, storage::PageDigests& digests);

}  // namespace ccr::engine
