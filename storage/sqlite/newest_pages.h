// NewestPages reads pages as of the last captured commit: the newest image in the WAL over the file.
//
// It knows the last frame of each page of the current filling of the WAL, pages above the end of the database too: if the database grows
// again without writing such a page, a checkpoint brings that old image back. What no frame and no byte of the file holds is zeros, and so
// is always the lock page.
// Exact under a mark, at any place from that mark on (WalCapture's view). Bounds: one map entry for each page of the WAL.
#pragma once

#include <unordered_map>

#include "storage/sqlite/sqlite_session.h"
#include "storage/sqlite/wal_decoder.h"

namespace ccr::storage::sqlite {

class NewestPages {
 public:
  NewestPages(const SqliteSession& session, std::uint32_t page_size) : session_(session), page_size_(page_size) {}

  void note(const WalCommit& commit);
  void clear() { frames_.clear(); }

  // Under slot 0 all is in the file, and the frames are left alone: a writer may reset the WAL while we read.
  void read_file_only(bool only) { file_only_ = only; }

  bool read(PageNumber page, WalSalts salts, ByteSpan into) const;
  // `count` pages from `first`, none of them above the end of the database.
  bool read_range(PageNumber first, std::uint32_t count, WalSalts salts, ByteSpan into) const;

 private:
  bool read_frame(PageNumber page, std::uint32_t frame, WalSalts salts, ByteSpan into) const;

  const SqliteSession& session_;
  std::uint32_t page_size_;
  std::unordered_map<PageNumber, std::uint32_t> frames_;  // looked up by key only
  bool file_only_ = false;
};

}  // namespace ccr::storage::sqlite
