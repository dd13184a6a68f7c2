// SqliteCursor says where capture stood in a SQLite database after a commit; it travels in each log record, so that log and capture
// cannot disagree. judge_resume() decides, from what lies on disk at a restart, whether nothing was missed. Pure.
//
// What proves continuity (all else is `lost`, and the file's content wins):
//   same_wal     the WAL has the cursor's salts, and its frames up to the cursor's still give the cursor's running checksum. Frames of one
//                filling never change once committed, so what follows is what followed.
//   after_reset  the first salt is one higher: exactly one reset by a writer. The cursor's own frame still lies behind the new frames, so
//                nothing behind it was overwritten either; the commits there and those of the new filling account for all of the growth
//                of iChange.
//   whole_wal    the cursor says that the file held everything, and the file has not been written since (inode, length, mtime, change
//                counter): no checkpoint has run, so every commit since then is in the WAL as it is now, from frame 1.
// iChange alone proves nothing across a restart: it starts at 0 again when the wal-index is rebuilt, in the same file, and small numbers meet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "storage/log_format.h"
#include "storage/sqlite/wal_decoder.h"

namespace ccr::storage::sqlite {

// What stat says about the database file; change_counter is at offset 24 of its header.
struct FileFacts {
  std::uint64_t inode = 0;
  std::uint64_t bytes = 0;
  std::int64_t modified_nanoseconds = 0;
  bool operator==(const FileFacts&) const = default;
};

struct SqliteCursor {
  WalShape shape;
  std::uint32_t frame = 0;  // the last frame of the last commit; 0: nothing of this filling yet
  WalChecksum checksum;     // running, behind that frame
  std::uint32_t change = 0;  // iChange after that commit
  PageNumber page_count = 0;
  std::uint32_t change_counter = 0;
  FileFacts file;
  bool file_complete = false;  // the file held everything, and `file` was old enough to show any later write
  bool operator==(const SqliteCursor&) const = default;
};

SourceCursor encode_cursor(const SqliteCursor& cursor);
std::optional<SqliteCursor> decode_cursor(const SourceCursor& bytes);  // nullopt: not one of ours, or of another version

// What was found at a restart.
struct ResumeFacts {
  FileFacts file;
  std::uint32_t page_size = 0;
  std::uint32_t change_counter = 0;
  WalSalts salts;              // of the wal-index
  std::uint32_t change = 0;    // iChange now
  bool place_found = false;    // the cursor's frame under its running checksum, counted from frame 1 of a WAL with its salts
  bool frame_left = false;     // the cursor's frame still lies at its place with its old salts and checksum
  std::uint32_t tail_commits = 0;     // whole commits behind it with the old salts
  std::uint32_t current_commits = 0;  // commits in the WAL as it is now
};

struct ResumeVerdict {
  enum class How : std::uint8_t { same_wal, after_reset, whole_wal, lost };
  How how = How::lost;
  std::string reason;  // of `lost`: first_start, file_replaced, wal_gap, wal_budget
  std::string cause;
};
ResumeVerdict judge_resume(const std::optional<SqliteCursor>& cursor, const ResumeFacts& facts);

// While we are connected the wal-index cannot be rebuilt behind our back, and iChange counts every commit: of the commits found behind the
// cursor with the old salts the first so many are real (a writer killed between its commit frame and publishing it leaves one that is
// not). nullopt: commits are missing.
std::optional<std::uint32_t> tail_commits_proven(std::uint32_t change_growth, std::uint32_t current_commits, std::uint32_t tail_commits);

}  // namespace ccr::storage::sqlite
