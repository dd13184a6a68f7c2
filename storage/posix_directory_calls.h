// The system calls on names and directories, blocking, with their errors translated. Both back ends run them in their CallPool.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "storage/disk.h"

namespace ccr::storage {

// Mode 0700. The parent of each directory made is synced, because only this call knows which those are.
Result<void> make_directory_path(const std::string& path);
Result<void> sync_directory_entries(const std::string& path);
Result<void> rename_path(const std::string& from, const std::string& to);
Result<void> remove_path(const std::string& path);  // a file, or an empty directory
Result<std::vector<DirectoryEntry>> list_directory(const std::string& path);
Result<DiskSpace> space_of_path(const std::string& path);

}  // namespace ccr::storage
