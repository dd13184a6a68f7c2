// A file is replaced as a whole: written beside its name, synced, renamed over it, and the directory synced (FAULTS rows 1 to 4).
//
// After a crash at any point the name holds all of the old content or all of the new. The replacement is another inode, so nothing
// that an earlier failed sync left in the page cache is believed (FAULTS row 11). What a crash leaves under `<path>.new` is removed
// by the next replacement of that path.
#pragma once

#include <memory>
#include <string>

#include "storage/disk.h"

namespace ccr::storage {

std::string directory_of(const std::string& path);  // "." for a bare name

// An empty file that takes over `path` when finish_replacement() completes with ok. Until then `path` is as it was.
Task<Result<std::unique_ptr<File>>> begin_replacement(Disk& disk, std::string path);
Task<Result<void>> finish_replacement(Disk& disk, File& file, std::string path);

// Both, for content that fits into memory. Durable at completion.
Task<Result<void>> replace_file(Disk& disk, std::string path, Bytes content);

// Removes what a crash left of a replacement of `path`: for a file that may not be replaced again for a long time.
Task<Result<void>> clear_replacement(Disk& disk, std::string path);

}  // namespace ccr::storage
