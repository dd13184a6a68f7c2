// OwnPages are the pages of this node's copy as they are on its disk beside their digests, for the scrub, for repairs here and of other nodes.
//
// Replay goes on while one looks: where page and digest agree, the page is what its digest said at that moment; where they do not, it may be on
// its way, and only what still differs while the pages are held is rotten. Any of the calls may return the error of a disk that cannot be used;
// a page that cannot be read is rotten. Threads: the node's executor. Bounds: one extent in memory for each call; what is under one hold is at
// most the pages of one extent.
#pragma once

#include <vector>

#include "base/clock.h"
#include "storage/page_digests.h"
#include "storage/page_file.h"
#include "transport/repair_messages.h"

namespace ccr::engine {

class OwnPages {
 public:
  virtual ~OwnPages() = default;
  // Completes when file, table and position stand still at one commit and all applied is durable; ErrorKind::busy where they cannot now.
  virtual Task<Result<void>> hold() = 0;
  virtual void release() = 0;
  virtual Task<Result<void>> catch_up() = 0;  // what is on its way to the file has arrived
  virtual storage::PageFile& file() = 0;
  virtual const storage::PageDigests& digests() const = 0;
  virtual Position position() const = 0;  // of the table; while held of the file too
};

// Releases at the end of a scope what hold() got.
class OwnPagesHeld {
 public:
  explicit OwnPagesHeld(OwnPages& pages) : pages_(pages) {}
  ~OwnPagesHeld() { pages_.release(); }
  OwnPagesHeld(const OwnPagesHeld&) = delete;
  OwnPagesHeld& operator=(const OwnPagesHeld&) = delete;

 private:
  OwnPages& pages_;
};

// One page as it was found.
struct PageFound {
  bool exists = false;    // the table has it
  bool readable = false;
  bool equal = false;     // its bytes are what the table says
  Digest64 expected = 0;  // by the table
  AlignedBuffer bytes;
};
Task<Result<PageFound>> find_page(OwnPages& pages, PageNumber page);

struct ExtentLook {
  std::uint64_t next = 1;        // the page behind what was looked at
  PageNumber page_count = 0;
  std::vector<PageNumber> rotten;  // rising
};
// From page `first` to the end of its extent.
Task<Result<ExtentLook>> look_at_extent(Clock& clock, OwnPages& pages, PageNumber first);

struct PageGiven {
  transport::PageAnswer::Standing standing = transport::PageAnswer::Standing::later;
  Position as_of;
  AlignedBuffer image;
};
// What the asker of a page may be told.
Task<Result<PageGiven>> give_page(OwnPages& pages, transport::PageAsk ask);

}  // namespace ccr::engine
