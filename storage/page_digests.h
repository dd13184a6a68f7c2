// PageDigests is what a database should contain: one digest per page, their sum per extent, and the sum of all, the root.
//
// In memory 8 bytes a page; beside the page file a table of the same numbers, rewritten block by block by flush(). The root is
// computed from the table at load and never stored as a running value. Setting a page twice is harmless.
//
// The file: a header block of 4096 bytes (magic, version, page size, page count, checksum, zeros), then 8 bytes a page, little
// endian, in whole blocks; what stands behind the last page means nothing. The entries carry no checksum of their own: a rotten one
// makes the root differ, and the scrub names the page.
//
// The caller decides when flush() may run (storage/state_file.h, required range). A crash in flush() leaves each entry old, new or
// torn, and the page count never ahead of the entries: pages from min_required on are set again, so all come right, grown pages of
// zeros too. After a failed or stopped flush() the file is not believed any more: the next one writes the whole table under another
// inode. Pages may be set while a flush() waits for the disk; they go with this flush or the next. One flush() at a time.
#pragma once

#include <string>
#include <vector>

#include "base/digest.h"
#include "storage/disk.h"
#include "storage/page_map.h"

namespace ccr::storage {

inline constexpr std::uint64_t extent_bytes = 1 * MiB;
constexpr std::uint32_t pages_per_extent(std::uint32_t page_size) noexcept {
  return static_cast<std::uint32_t>(extent_bytes / page_size);
}
constexpr std::uint32_t extent_count(PageNumber pages, std::uint32_t page_size) noexcept {
  const std::uint64_t per_extent = pages_per_extent(page_size);
  return static_cast<std::uint32_t>((pages + per_extent - 1) / per_extent);
}

class PageDigests {
 public:
  PageDigests(Disk& disk, std::string path, std::uint32_t page_size);

  // ErrorKind::not_found when there is no table, corrupt when its header or length is wrong: rebuild from the page file.
  Task<Result<void>> load();
  // Writes the blocks that changed, then syncs; creates the file (and syncs its directory) the first time.
  Task<Result<void>> flush();

  PageNumber page_count() const noexcept { return static_cast<PageNumber>(digests_.size()); }
  // Grown pages get the digest that is known of them, or that of a page of zeros with their number; shrunk ones are gone.
  void resize(PageNumber count, const PageMap& known = {});
  void set(PageNumber page, Digest64 digest);  // page in 1..page_count()
  Digest64 at(PageNumber page) const;
  Digest64 root() const noexcept { return root_; }
  Digest64 extent(std::uint32_t extent) const;  // sum over its pages; extent 0 is pages 1..pages_per_extent
  std::uint32_t page_size() const noexcept { return page_size_; }
  Digest64 of_zeros(PageNumber page) const;

 private:
  class FlushAttempt;

  Task<Result<void>> update();                                    // the blocks that changed, in place
  Task<Result<void>> rewrite();                                   // all of it, under a new inode
  Task<Result<void>> write_blocks(File& file, PageNumber count);  // the dirty ones of a table of `count` pages
  Task<Result<void>> write_header(File& file, PageNumber count);
  void fill(std::size_t first_block, ByteSpan out) const;
  void mark_dirty(PageNumber page);

  Disk& disk_;
  std::string path_;
  std::uint32_t page_size_;
  std::vector<Digest64> digests_;
  std::vector<bool> dirty_blocks_;
  Digest64 root_ = 0;      // kept in memory only; load() sums it up anew
  bool in_place_ = false;  // the file at path_ holds this table but for the dirty blocks, and its writes did not fail
  bool proven_ = false;    // this object flushed once: name and header are durable, not only in the page cache of an earlier life
  bool flushing_ = false;
  PageNumber flushed_count_ = 0;  // page count in the file's header
};

// What commits that are appended but not yet durable will make of a PageDigests: the table itself must never run ahead of the log.
// Nobody else changes the table between two calls of settle() or restart(). Memory: what one group of commits touches.
class DigestOverlay {
 public:
  explicit DigestOverlay(PageDigests& table) : table_(table) { restart(); }
  void resize(PageNumber count);
  void set(PageNumber page, Digest64 digest);
  Digest64 root();
  PageNumber page_count() const noexcept { return page_count_; }
  void settle();   // everything so far is durable: into the table
  void restart();  // forget everything and start from the table again
  void give_back();  // after settle(), when nothing will come for a while: memory goes back to the system

 private:
  Digest64 at(PageNumber page) const;
  void count_zeros(PageNumber through);

  PageDigests& table_;
  PageMap ahead_;            // digests
  PageNumber page_count_ = 0;
  PageNumber smallest_ = 0;  // smallest page count since the last settle: pages above it were dropped in between
  // A page that grows is mostly set before anybody asks for the root: until then what zeros would be there is not computed.
  PageNumber counted_ = 0;  // pages up to this are in root_
  Digest64 root_ = 0;
};

}  // namespace ccr::storage
