// ActiveCopy is one mounted life of the active copy: its source's commits become log, and everything a passive copy needs is served from it.
//
// run() mounts (directories, log recovery, redo of the digest table), then captures until it is stopped or fails; an error leaves the log as
// recovery will find it, and the owner mounts again. A commit counts as durable, for the source and for passive copies, only after the log's
// sync; the digest table never runs ahead of the log (DigestOverlay).
// Lifetime: everything that uses it (shippers, seeds) runs in group() and ends before run() completes. Threads: the node's executor.
// Bounds: group_bytes_max of log between two syncs except for one larger commit; reads_in_flight_max of page reads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "engine/application.h"
#include "engine/commit_gate.h"
#include "engine/copy_state.h"
#include "engine/copy_table.h"
#include "engine/directories.h"
#include "engine/lived_log.h"
#include "engine/log_keeper.h"
#include "engine/page_store.h"
#include "engine/replayer.h"
#include "engine/scrub.h"
#include "storage/log_stream.h"

namespace ccr::engine {

// Opens the source of an sqlite database; the node is given one, so that the engine knows no SQLite. `cursor`: where the log ends.
using SourceFactory =
    std::function<std::unique_ptr<storage::LogSource>(NodeContext& context, const DatabaseConfig& database, std::optional<storage::SourceCursor> cursor)>;

class ActiveScrub;

class ActiveCopy final : private ReplayObserver {
 public:
  static constexpr std::size_t group_bytes_max = 4 * MiB;
  static constexpr Duration idle_roll = std::chrono::seconds(60);
  static constexpr Duration checkpoint_interval = std::chrono::seconds(5);
  static constexpr int compare_reads_max = 2;  // the rest of the source's reads in flight belongs to seeds

  struct Tip {
    Position durable;
    CommitNumber commit = 0;
    PageNumber page_count = 0;
    Digest64 root = 0;
    bool root_known = false;
  };

  // Pages as of a place in the order of commits: everything before `as_of` is in them.
  struct PagesRead {
    Position as_of;
    PageNumber page_count = 0;
    std::uint32_t count = 0;
    AlignedBuffer images;
    std::vector<Digest64> table;   // what the digest table said of these pages at that place
    bool comparable = false;       // pages and table stand at one place: a difference is damage
    PageNumber differs = 0;        // first page that is not what the table says, where they are comparable; 0: none
  };

  ActiveCopy(NodeContext& context, const DatabaseConfig& database, SourceFactory factory, CopyStanding& standing, CopyTable& copies, Scrub& scrub);
  ~ActiveCopy() override;

  void expect(const LivedLog& lived) { lived_ = lived; }  // before run()
  Task<Result<void>> run();
  // After run(): nothing is damaged, and the next life goes on: by its proofs where the source could not give the rest of a commit.
  bool source_broke_off() const noexcept { return source_broke_off_ || (application_ && application_->given_back()); }

  bool ready() const noexcept { return ready_; }
  Position redo_at() const { return replayer_ ? replayer_->applied() : Position{}; }
  Position redo_end() const noexcept { return redo_end_; }  // known before that, while log is replayed, from redo_at() on
  TaskGroup& group() noexcept { return group_; }
  const Tip& tip() const noexcept { return tip_; }
  Signal& tip_changed() noexcept { return tip_changed_; }
  Signal& watermarks_heard() noexcept { return watermarks_heard_; }  // of any copy: copies() has them
  StateKeeper& keeper() noexcept { return keeper_; }
  const storage::CopyState& state() const noexcept { return keeper_.state(); }
  CopyTable& copies() noexcept { return copies_; }
  storage::LogStream& log() { return *log_; }
  storage::LogDirectory log_directory() const;
  const storage::PageDigests& digests() const { return *digests_; }
  LogKeeper& log_keeper() noexcept { return log_keeper_; }  // when ready
  const LogKeeper& log_keeper() const noexcept { return log_keeper_; }
  const DatabaseConfig& database() const noexcept { return database_; }
  NodeContext& context() noexcept { return context_; }
  PageStore* store() noexcept { return store_; }
  const CommitGate& commit_gate() const noexcept { return gate_; }
  storage::LogSource::Gauges gauges() const { return source_ ? source_->gauges() : storage::LogSource::Gauges{}; }
  Signal& replay_changed() { return replayer_ ? replayer_->changed() : changed_; }
  Position replayed() const;  // of the page store's own page file; the log's end for sqlite

  // Reads pages. Exact as of a position for sqlite; for a page store at or after `as_of`, or exact while `hold` is held.
  Task<Result<PagesRead>> read(PageNumber first, std::uint32_t count);
  // Stops commits and brings the page store's file up to the log's end: disk and digests stand at one position. No-op for sqlite: its reads are exact.
  Task<Result<void>> hold();
  void release(), hurry();  // hurry: a page store's file is brought up to the log's end without gathering
  // A page of the disk is not what the log says: shown as the cause of this copy's standing, also after a restart, until undamaged().
  Task<Result<void>> damaged(PageNumber page);
  Task<Result<void>> undamaged();  // the whole file was read and is what the log says
  Task<Result<void>> repaired(PageNumber page);  // undamaged(), where that page was the cause
  bool held() const noexcept { return holds_ > 0; }
  Task<void> wait_until_comparable();  // the source serves, and the digest table is whole
  bool comparable() const noexcept { return digests_whole_ && comparing_ == Comparing::no; }
  storage::PageFile* page_file() noexcept { return page_file_.get(); }  // of a page store
  PageGiver& page_giver();
  Application* application() noexcept { return application_.get(); }  // of an sqlite database
  void show_application();
  void ask_to_part() { source_->part(); }
  // With programs kept from the database: the table and the state are those of the log's end, as a passive copy wants them.
  Task<Result<void>> close_books();
  void seed_pin_changed() { changed_.notify(); }
  void note_backup(const storage::BackupMark& mark);  // kept, durably soon

 private:
  struct Read {
    explicit Read(const Executor& executor) : done(executor) {}
    std::optional<PagesRead> result;
    Signal done;
  };
  enum class Comparing { no, scanning, lost };  // scanning: the table is rebuilt while commits flow; lost: commits wait for catch_up or base

  Task<Result<void>> live(), mount(), mount_sqlite(bool known);
  Task<Result<bool>> bring_database();
  Task<Result<void>> redo_pages(), prepare_log(), answer_when_safe(), watch_waiting_commits(), mount_pages(bool known);
  Task<Result<void>> open_log(bool known, std::uint32_t page_size);
  Task<Result<void>> redo(storage::ReplayTarget& target), cut_log(storage::LogDirectory directory);
  Task<Result<void>> capture();
  Task<Result<void>> take(storage::SourceItem item);
  Task<Result<void>> take_commit(storage::SourceCommit commit);
  Task<Result<void>> take_pages(storage::SourcePages pages);
  Task<Result<void>> take_standing(storage::SourceStanding standing), take_parting(storage::SourceParted parted);
  Task<Result<void>> sync_group();
  Result<void> check_room() const; Task<Result<void>> fill_reserve();
  void answer_commits();
  void begin_compare(Comparing how, std::string reason);
  void ask_compare();
  void compare_pages(const storage::SourcePages& pages);
  void finish_compare();
  void install_scan();
  Task<Result<void>> keep_house();
  Task<Result<void>> checkpoint();
  Task<void> claim_log();
  void publish_tip();
  void enter_mounted();
  std::string damage_text(PageNumber page) const;
  void note_table(PageNumber first, PagesRead& read, bool comparable) const;
  void commit_applied(Position position, CommitNumber commit) override;
  void seal_passed(const storage::SealFacts& seal, CommitNumber commit) override;
  bool sqlite() const noexcept { return database_.kind == DatabaseKind::sqlite; }

  NodeContext& context_;
  const DatabaseConfig& database_;
  SourceFactory factory_;
  CopyStanding& standing_;
  CopyTable& copies_;
  CommitGate gate_;
  Scrub& scrub_;
  std::unique_ptr<ActiveScrub> scrubbed_;
  std::unique_ptr<Application> application_;
  CopyPaths paths_;
  StateKeeper keeper_;
  LogKeeper log_keeper_;
  TaskGroup group_;
  Signal changed_, tip_changed_, watermarks_heard_;

  std::unique_ptr<storage::LogSource> source_;
  PageStore* store_ = nullptr;  // the source, when it is one
  std::unique_ptr<storage::LogStream> log_;
  std::unique_ptr<storage::PageDigests> digests_;
  std::unique_ptr<storage::DigestOverlay> overlay_;
  std::unique_ptr<storage::PageFile> page_file_;       // page store only
  std::unique_ptr<storage::PageFileTarget> target_;
  std::unique_ptr<Replayer> replayer_;

  Tip tip_;
  LivedLog lived_;
  bool ready_ = false, source_broke_off_ = false, digests_whole_ = false;
  Comparing comparing_ = Comparing::no;
  std::string lost_reason_;
  std::vector<Digest64> scanned_;       // digests of the file as scanned while `lost`; index: page - 1
  std::vector<PageNumber> differing_;   // pages whose digest is not what the log says
  PageNumber compare_next_ = 1;            // first page not asked for yet
  std::set<std::uint64_t> compare_reads_;  // outstanding
  bool compare_end_seen_ = false;
  std::optional<storage::SourceCursor> unsettled_;
  std::size_t group_bytes_ = 0;
  std::map<std::uint64_t, Read*> reads_;
  std::uint64_t next_read_ = 1;
  int holds_ = 0; bool writing_ = false;  // somebody is between two syncs of the log
  Position checkpoint_at_, redo_end_;
  Instant checkpoint_time_;
};

}  // namespace ccr::engine
