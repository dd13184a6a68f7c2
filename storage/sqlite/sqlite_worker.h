// SqliteWorker is the loop of a source's thread: sleep, look, hold what MarkPolicy says, capture, settle, answer requests.
//
// It opens the database as soon as it can be served and looks again every second while it cannot; it opens it anew when the path leads
// elsewhere (the file, its WAL or its wal-index were replaced or removed), and then the cursor of the last delivered commit decides
// whether continuity holds. Where the engine takes nothing and the WAL grows behind our hold beyond its budget, continuity is given up for the
// program's sake: its WAL can be reset again, and the engine compares pages when it comes back. A file written while no checkpoint ran was overwritten in place: that is a replacement too.
//
// Threads: run() is the worker thread; stop by SourceChannel::stop() and WalWatch::wake(); Facts are read by anyone. This is a seam file.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "storage/sqlite/commit_ages.h"
#include "storage/sqlite/mark_policy.h"
#include "storage/sqlite/parting.h"
#include "storage/sqlite/source_channel.h"
#include "storage/sqlite/sqlite_session.h"
#include "storage/sqlite/wal_capture.h"
#include "storage/sqlite/wal_watch.h"

namespace ccr::storage::sqlite {

class SqliteWorker {
 public:
  // What other threads may see.
  struct Facts {
    std::atomic<std::uint32_t> page_size{0};
    std::atomic<std::uint64_t> wal_bytes{0};
    std::atomic<std::uint64_t> uncaptured_bytes{0};
    std::atomic<std::int64_t> behind_since{0};  // CommitAges::oldest(), by worker_now(); 0: everything is captured
  };
  struct Options {
    std::string path;
    std::uint64_t wal_limit_bytes = 0;
    std::uint64_t wal_budget_bytes = 0;  // 0: none
    std::optional<SqliteCursor> cursor;
  };

  SqliteWorker(Options options, Clock& clock, SourceChannel& channel, WalWatch& watch, Facts& facts);

  void run();

 private:
  static constexpr Duration refused_pause = std::chrono::seconds(1);
  static constexpr Duration identity_pause = std::chrono::milliseconds(250);
  static constexpr std::uint64_t near_bytes_max = 512 * KiB;  // behind the writer by no more: caught up, as far as one can with a fast one
  static constexpr Duration gauge_tick = std::chrono::milliseconds(10);  // of looks that are for the gauges only
  static constexpr Duration view_linger = std::chrono::milliseconds(250);  // a reader asks again within it
  static constexpr Duration unclear_max = std::chrono::seconds(1);  // of a WAL that is not as its index says

  void attach();
  bool start_capture(const WalIndex& index);
  void detach();
  void refuse(const Refusal& refusal);
  void wait_refused();
  void answer_refused();

  void turn();
  bool capture_to(WalIndex& index);
  bool is_near(const WalIndex& index) const;
  void settle(const WalIndex& captured);
  void unclear();
  bool lose(const std::string& reason, const std::string& cause);
  bool announce_loss(const std::string& reason, const std::string& cause);
  bool take_anchor();
  bool open_view(WalIndex& index);
  bool reach_view();
  bool at_boundary();
  bool serve_between(WalIndex& index);
  void serve_requests();
  void answer_requests();
  void serve(const SourceRequest& request);
  bool reads_go_on();
  Result<void> part();
  bool capture_all();
  void check_identity(bool hinted);
  bool overwritten();
  void note_look(const WalIndex& index);
  void note_place();
  bool look_around();
  std::string given_up_text() const;
  void fail(const std::string& message);

  Options options_;
  Clock& clock_;
  SourceChannel& channel_;
  WalWatch& watch_;
  Facts& facts_;

  std::unique_ptr<SqliteSession> session_;
  std::unique_ptr<WalCapture> capture_;  // with session_ only
  std::optional<SqliteCursor> cursor_;   // where to go on when a session is opened; of the last captured commit
  std::unique_ptr<Parting> parting_;     // programs are kept from the database
  MarkPolicy policy_;
  std::string refused_;       // reason of the standing refusal; empty: none
  std::optional<ResumeVerdict> loss_;  // not made good yet: the next session begins with it, whatever the cursor says
  std::uint64_t losses_ = 0;
  bool over_budget_ = false;  // what the engine did not take was given up
  bool failed_ = false;       // an error was delivered: nothing follows
  Instant unclear_since_;
  Instant identity_checked_;
  CommitAges ages_;
  WalIndex seen_;       // as last looked at, for the gauges
  Instant seen_at_;
  Instant read_at_;  // when a read was last waited for
  // The file as it was when last checked, and how far checkpoints had come.
  std::optional<FileFacts> file_seen_;
  WalIndex index_seen_;
};

}  // namespace ccr::storage::sqlite
