// CacheFootprint has a read of much leave the page cache as it was: what was not in it before goes again.
//
// Made before the read, it sees which pages of a range the kernel holds; leave() drops the others. A program's hot pages so survive the scan
// of a database that is larger than memory. Reading ahead of the range is turned off for the descriptor, or the next range would look as if
// somebody had it. Where the kernel does not tell (another's file) or cannot drop (tmpfs) nothing is changed. Cost: some tens of microseconds
// for 1 MiB. Threads: any that may wait: where a server holds the file, the calls may.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/disk.h"

namespace ccr::storage {

class CacheFootprint {
 public:
  CacheFootprint(int descriptor, std::uint64_t offset, std::uint64_t bytes);
  void leave() const noexcept;

 private:
  int descriptor_;
  std::vector<FilePart> absent_;
};

// Drops parts that are on the disk already, whoever had them.
void drop_from_cache(int descriptor, const std::vector<FilePart>& parts) noexcept;

// One that this process has open on that file; -1: none. It is somebody else's, to look and drop through, never to close.
int descriptor_on(const std::string& path);

}  // namespace ccr::storage
