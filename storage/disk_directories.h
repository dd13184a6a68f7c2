// DiskDirectories is the half of a Disk that deals with names: the same for both back ends, run in a CallPool.
// Lifetime: outlives the tasks it returned. Threads: the node's executor only.
#pragma once

#include <string>
#include <vector>

#include "storage/call_pool.h"
#include "storage/disk.h"
#include "storage/posix_file_calls.h"

namespace ccr::storage {

class DiskDirectories {
 public:
  explicit DiskDirectories(CallPool& pool) : pool_(pool) {}

  Task<Result<SharedFile>> open(std::string path, OpenMode mode);  // one that may wait for a server is closed in the pool, too
  Task<Result<void>> make(std::string path);
  Task<Result<void>> sync(std::string path);
  Task<Result<void>> rename(std::string from, std::string to);
  Task<Result<void>> remove(std::string path);
  Task<Result<std::vector<DirectoryEntry>>> list(std::string path);
  Task<Result<DiskSpace>> space(std::string path);
  Task<Result<FileAccess>> access(std::string path);
  Task<Result<void>> give_access(std::string path, FileAccess access);

 private:
  CallPool& pool_;
};

}  // namespace ccr::storage
