// Backup copies a database's pages into a file of their own, as of one commit, while it is used: what `ccr backup` does.
//
// Of a passive copy: replay rests at a commit boundary while pages are read, the log does not. Of the active one: pages are read while commits go
// on, the log from before the first read is held, and then brought into the new file up to a commit whose root is known, as a seed does it
// (engine/backup_active.cc). Each page is held against its digest as it is read; the new file is
// synced, read back past the page cache, and its root compared; only then it gets its name, and a page of JSON beside it says what it is.
// Then it is the newest backup that this copy knows, and tells its peers, but of `copy_only`: what retention = "until-backup" goes by.
// work() is spawned once, of a passive copy in the node's group, of an active one in the copy's. It ends with the file, or with nothing left of it:
// exists, no_space, corrupt (a page of the copy, or of what was written), refused where the copy is no whole one, busy where the active one lost
// sight of its database meanwhile, the errors of either disk. Lifetime: shared by the task and those who
// watch. Threads: the node's executor. Bounds: one extent in memory, and one record's pages.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "engine/active_copy.h"
#include "engine/passive_copy.h"

namespace ccr::engine {

struct BackupRequest {
  std::string directory;  // made where it is not there
  std::string name;       // of the file in it
  std::uint64_t bytes_per_second_max = 0;  // 0: no limit
  bool copy_only = false;                  // no log goes because of it
};

class Backup {
 public:
  Backup(NodeContext& context, const DatabaseConfig& database, PassiveCopy& copy, BackupRequest request);
  Backup(NodeContext& context, const DatabaseConfig& database, ActiveCopy& copy, BackupRequest request);

  static Task<Result<void>> work(std::shared_ptr<Backup> backup);
  void cancel() { group_.stop(); }
  bool ended() const noexcept { return ended_; }
  const BackupRequest& request() const noexcept { return request_; }
  nlohmann::json progress() const;
  Result<nlohmann::json> result() const;  // when it has ended

 private:
  Task<Result<void>> run();
  Task<Result<void>> make();
  Task<Result<void>> check_room(std::uint64_t bytes);
  Task<Result<void>> copy_passive(storage::File& out);
  Task<Result<void>> copy_active(storage::File& out);
  Task<Result<void>> copy_while_written(storage::File& out);
  Task<Result<void>> bring_log(storage::File& out, Position from);
  Task<Result<void>> bring_commit(storage::File& out, storage::LogReader& log, storage::RecordHeader header);
  const storage::CopyState& state() const { return active_ != nullptr ? active_->state() : passive_->state(); }
  Task<Result<void>> read_back(std::string path);
  Task<Result<void>> name_it(std::string partial);

  NodeContext& context_;
  const DatabaseConfig& database_;
  PassiveCopy* passive_ = nullptr;  // one of the two
  ActiveCopy* active_ = nullptr;
  BackupRequest request_;
  storage::TokenBucket bucket_;
  TaskGroup group_;
  const char* phase_ = "copy";
  PageNumber pages_ = 0;
  std::uint32_t page_size_ = 0;
  Digest64 root_ = 0;
  Position position_;
  CommitNumber commit_ = 0;
  std::uint64_t done_bytes_ = 0;
  std::optional<Result<void>> outcome_;
  bool ended_ = false;
};

}  // namespace ccr::engine
