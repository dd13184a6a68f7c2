// SeedPages is what a seed needs of its source: a pin on the log, digests, pages, and the end. The engine implements it over its
// copy.
//
// Digests come from the table and are as of the present durable position; they never wait. read() answers with content at or after
// P that is durable in this node's log: a page that ran ahead of the log could be lost here and live on in the copy. as_of is the
// position the content is exact for, and finish() names a Q at or after every as_of that was answered. Threads: the node's executor
// only. Several reads and verifies may overlap. Stopping: a stopped read leaves nothing behind.
#pragma once

#include <string>
#include <vector>

#include "base/task.h"
#include "transport/messages.h"

namespace ccr::seed {

// Pages [first, first + count): count is short where the database ends, and 0 when `first` is beyond its end.
struct SeedRead {
  PageNumber first = 0;
  std::uint32_t count = 0;
  PageNumber page_count = 0;  // of the database at as_of
  Position as_of;
  AlignedBuffer images;  // count pages
};

// Both lists are as of one position and equally long: the extent's pages at that position.
struct VerifyExtent {
  Position as_of;
  CommitNumber commit = 0;
  PageNumber page_count = 0;
  std::vector<Digest64> disk;  // digested from what the disk gave
  std::vector<Digest64> table;
};

class SeedPages {
 public:
  virtual ~SeedPages() = default;

  // Pins the log for `node` at P, the present durable position, and offers it; or, when the pin at resume_from is still held,
  // confirms that (resumed). The pin is durable at completion and ends with release(); a new one replaces it. An unknown
  // resume_from asks for a new pass.
  virtual Task<Result<transport::SeedOffer>> open(std::string node, Position resume_from) = 0;
  virtual Task<Result<transport::SeedEnd>> finish(std::string node) = 0;  // the pin stays: the target replays from P yet
  virtual Task<Result<void>> release(std::string node) = 0;

  // Asked before anything that a pass asks for is answered: an error where this is no source any more since open().
  virtual Result<void> check() const { return {}; }
  virtual PageNumber page_count() const = 0;
  virtual std::uint32_t page_size() const = 0;
  virtual Digest64 extent_digest(std::uint32_t extent) const = 0;  // 0 beyond the end
  virtual Digest64 page_digest(PageNumber page) const = 0;         // page in 1..page_count()

  // At most one extent of pages. ErrorKind::corrupt when the disk does not hold what the table says: a bad source is not copied on.
  virtual Task<Result<SeedRead>> read(PageNumber first, std::uint32_t count) = 0;
  // No pages for an extent beyond the end.
  virtual Task<Result<VerifyExtent>> verify(std::uint32_t extent) = 0;
};

}  // namespace ccr::seed
