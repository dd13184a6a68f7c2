// DiskVerifier is the scrub: it reads a page file from its first page to its last, slowly, and compares each page with the digest
// that it should have. It alone finds a lost or misdirected page write and a page that rots in silence (FAULTS rows 15, 17, 18).
//
// Replay may run meanwhile, but not while an extent is read: hold.acquire() completes when the pages and the table stand still and
// agree, hold.release() lets them go on; between extents and during the waits for the rate nothing is held. Read is the disk, and not what the
// system still had of it in memory, nor does the system keep what was read. A page is listed only when a second read differs as well; a page that
// cannot be read, or that only the file or only the table has, differs too.
// step() is one extent for a caller with a turn of its own. Where that caller lets replay go on meanwhile, a page that differs may only be on its
// way, and a page that does not is what its digest said at that moment.
// Completion: run() returns ok when it passed the last page, whatever it found. An error of hold.acquire() ends it; run() then goes
// on at position(), and so does a verifier that is made with that position after a restart. Bounds: one buffer of an extent; the
// list ends at differing_listed_max, the count goes on. Lifetime: everything given outlives run().
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/clock.h"
#include "storage/page_digests.h"
#include "storage/page_file.h"
#include "storage/token_bucket.h"

namespace ccr::storage {

class DiskVerifier {
 public:
  static constexpr std::size_t differing_listed_max = 2048;  // all of an extent

  struct Options {
    std::uint64_t bytes_per_second = 0;  // 0: no limit
    std::uint64_t from = 1;              // page; where an earlier verifier stood
  };

  struct Hold {
    std::function<Task<Result<void>>()> acquire;
    std::function<void()> release;  // called once after each acquire() that was ok, also when the task is stopped
  };

  struct Progress {
    std::uint64_t pages_checked = 0;
    std::uint64_t pages_total = 0;  // as of the last extent
    std::uint64_t bytes_read = 0;
    std::uint64_t pages_differing = 0;  // all of them, unreadable ones too
    std::uint64_t pages_unreadable = 0;
    std::uint64_t reads_transient = 0;  // differed or failed once, and not again
    std::vector<PageNumber> differing;  // the first of them, rising
  };

  DiskVerifier(Clock& clock, PageFile& file, const PageDigests& digests, Options options);

  Task<Result<void>> run(Hold hold);
  Task<Result<void>> step();  // the extent of position(), which is beyond it then; nothing where the file ends before

  std::uint64_t position() const noexcept { return position_; }  // the next page to check
  bool finished() const noexcept { return finished_; }
  const Progress& progress() const noexcept { return progress_; }
  void set_rate(std::uint64_t bytes_per_second);  // from the next extent on

 private:
  std::uint64_t last_page() const noexcept;
  std::uint32_t pages_until_extent_ends() const noexcept;
  Task<Result<void>> check_page(PageNumber page);
  bool equal(PageNumber page, ByteView image) const;
  void list(PageNumber page);

  Clock& clock_;
  PageFile& file_;
  const PageDigests& digests_;
  TokenBucket bucket_;
  AlignedBuffer extent_, page_;
  std::uint64_t position_;  // 64 bits: it passes the last page
  bool finished_ = false;
  Progress progress_;
};

}  // namespace ccr::storage
