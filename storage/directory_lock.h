// DirectoryLock keeps a second process away from a directory of ours (FAULTS row 36): an open-file-description lock on <dir>/lock,
// which holds the owner's process id for whoever is refused.
//
// The kernel drops the lock when the process ends, however it ends; the file stays, so that no two processes ever lock two files of
// that name. A forked child shares the lock until it execs. Lifetime: held until destruction. Threads: any. Blocks for two small
// system calls: for the start of a process, not for a running node.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace ccr::storage {

class DirectoryLock {
 public:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  DirectoryLock(DirectoryLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~DirectoryLock();

 private:
  int descriptor_;  // -1: moved away
};

// The directory must exist. ErrorKind::busy, with the owner's process id in the message, when another process (or another
// DirectoryLock of this one) has it; nothing is written then.
Result<DirectoryLock> lock_directory(const std::string& directory);

// The same for a directory that must stay as it is, perhaps an empty mount: flock(2) on the directory itself, and nobody's name.
Result<DirectoryLock> claim_directory(const std::string& directory);

}  // namespace ccr::storage
