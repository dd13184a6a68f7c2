// PassiveCopy is a passive copy's life, one phase at a time: contact (suspended, failed, never seeded: watermarks and tips only), seed (pages come
// from the source while its log is shipped), follow (log is shipped, inspected and replayed).
//
// A phase is a task group; everything of it has ended before the next begins, so no two of them touch a file at once. What a person asked for
// (suspend, resume, seed) is durable before the request returns. run() returns the errors that stop a copy from opening its files; the owner
// shows them and calls run() again, which begins by reading everything from disk. engine/README.md has the table of states.
// Threads: the node's executor. Bounds: see Copier, Replayer, SeedTarget.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/task_group.h"
#include "engine/copier.h"
#include "engine/copy_requests.h"
#include "engine/copy_state.h"
#include "engine/directories.h"
#include "engine/peer_client.h"
#include "engine/replay_delay.h"
#include "engine/replayer.h"
#include "engine/root_ledger.h"
#include "engine/scrub.h"
#include "engine/verify_report.h"
#include "seed/seed_target.h"
#include "storage/quarantine.h"
#include "storage/token_bucket.h"
#include "storage/truncation.h"

namespace ccr::engine {

struct PassiveFiles; class PagesHeld;  // engine/passive_files.h
struct LogHeld;                        // engine/log_fetch.h
class PassiveCopy final : private ReplayObserver, private CopierOwner, private seed::SeedObserver {
 public:
  static constexpr std::uint32_t seed_passes_max = 3;   // the first and two more, then a person
  static constexpr int inspect_tries_max = 3;
  static constexpr int source_tries_max = 12;           // in a row without an extent, before the active node is the source instead: some 20 s
  static constexpr int sealed_generations_kept = 2;     // below the required range, for the next handshake

  PassiveCopy(NodeContext& context, const DatabaseConfig& database, CopyStanding& standing, Scrub& scrub);
  ~PassiveCopy() override;

  Task<Result<void>> run();
  // Each completes when it is durable and in force.
  Task<Result<void>> suspend(SuspendRequest request);
  Task<Result<void>> resume();
  Task<Result<void>> seed(SeedRequest request);
  Task<Result<void>> limit_seed(std::uint64_t bytes_per_second_max);  // of the seed that runs
  void spread_seed(std::size_t streams);                              // the same; 0: as configured
  Task<Result<void>> rest_after_seed();                               // the seed that runs ends in a suspension
  Task<Result<VerifyReport>> verify(VerifyRequest request, VerifyWatch& watch);
  // This copy will be the active one in it, if it comes to that, and replays no further than a known `cut`; 0: not any more.
  Task<Result<void>> prepare(Epoch epoch, Position cut = {}, bool whole = false);
  Task<Result<Position>> freeze(Duration lease);  // nothing is replayed before thaw(), at most for so long; to where pages are, or may be
  void thaw(); bool replay_rests() const;
  Task<void> leave();                       // between two lives: its state is somebody else's until run()
  bool cut_seed();                 // as a link would; the seed goes on over new connections. false: nothing is on its way
  Task<Result<RottenBit>> rot();   // of a page, on the disk, as a failing disk would: what ccr believes of the page stays

  transport::Watermarks watermarks() const override;
  const storage::CopyState& state() const noexcept { return keeper_.state(); }
  // A seed was asked for and goes on by itself; not one that a suspension or a failure stopped.
  bool seeding() const noexcept { return !state().seed.source.empty() && !state().suspended && !state().failed; }
  bool seeding_in_full() const noexcept { return seeding() && full_; }
  SeedCuts seed_cuts() const;  // of the seed that runs, or the last
  const SeedPace& seed_pace() const noexcept { return seed_pace_; }
  bool connected() const noexcept { return connected_; } bool beyond_active() const noexcept { return beyond_; }  // suspended, and ahead of it
  std::optional<transport::Tip> tip() const { return tip_; }
  WallTime tip_heard_at() const;  // or when the path last said that the tip is still the same
  const transport::FramedConnection* connection() const noexcept { return connection_; }
  std::optional<Digest64> root() const;  // of the content at replayed(); nullopt while it is not one commit's
  Duration lag() const;          // since the oldest tip heard that is not durable here; call when connected
  Duration replay_wait() const;  // since the oldest log that is not replayed was inspected here
  Lags lags() const;  // engine/passive_delay.cc, as what follows
  Position came() const { return delay_.kept_from(database_.retention.keep, context_.clock.now()); }  // engine/retention.h
  bool held() const; std::optional<Duration> replay_due_in() const;  // what came is not replayed because of replay_lag; nullopt: nothing is held
  void pace_replay();  // as far as the lags in force let it go
  void replay_at_once(Duration lease);  // somebody needs the copy whole: until then nothing is delayed
  seed::SeedCounters seed_counters() const;
  std::uint64_t seed_rate_limit() const;  // the lowest that is known here: of the request, and of seed_rate; 0: none
  std::uint64_t log_bytes_received() const noexcept { return log_bytes_received_; }  // since this node started; what connections took for it:
  std::uint64_t wire_bytes_received() const noexcept { return wire_bytes_received_; }
  std::optional<storage::TruncationFacts> truncation_facts() const;  // nullopt: no log is open
  void note_access(storage::FileAccess access);  // both are kept, durably soon
  void note_backup(const storage::BackupMark& mark);
  std::optional<storage::Quarantine> quarantine() const { return quarantine_; }  // as last looked at
  Signal& changed() noexcept override { return changed_; } bool asked() const noexcept { return asked_; }  // a person's word came while nothing ran that follows it
  const CopyStanding& standing() const noexcept override { return standing_; }
  Task<Result<std::uint64_t>> foreign_bytes();  // of a file at the copy's path that was there before the copy; a seed asks before it replaces them
  Task<Result<storage::FileFacts>> page_file_facts();  // of what is at its path now; not known: nothing is
  Task<Result<bool>> table_is_doubtful();  // so a seed would read the disk
  bool opened() const noexcept { return opened_; } bool idle() const;  // its directories are its own and its state is known; connected, everything heard of is replayed
  // As a source of pages for other copies (engine/passive_source.h).
  bool is_source() const;  // healthy: what it holds is the active one's history
  std::shared_ptr<PassiveFiles> files() const { return files_; }
  Task<Result<PagesHeld>> hold_pages();  // exactly those of a commit; busy where a crash left them ahead of the log, and redo does not end
  void hurry();  // somebody waits for what came and is not replayed
  const std::string& page_file() const noexcept { return paths_.page_file; }
  const std::string& active_node() const noexcept { return database_.copies.front(); }
  TaskGroup* page_service() const;  // where another node may be given pages: work of the phase; null: not now
  TaskGroup* log_service() const;   // the same, of log
  std::optional<LogHeld> log_held() const;
  // Log that this copy lacks and `node` has (engine/log_fetch.h); to where its own then ends. busy: log comes from its active node yet; stopped: it follows none.
  Task<Result<Position>> fetch_log(std::string node); bool follows() const, settled() const; Position end_of_received() const;
  PageGiver& page_giver();

 private:
  class Scrubbed;
  struct Contact; struct Fetch;  // engine/passive_log.cc, engine/passive_fetch.cc
  enum class Phase { contact, seed, follow };

  Phase next_phase() const;
  Task<Result<void>> open_files(); Task<Result<void>> meet_damage(Error error);
  Task<Result<void>> run_phase(Phase phase);
  void end_phase();
  Task<Result<void>> leave_when_asked();
  State resting_state() const; std::string resting_cause() const, resting_hint() const, forked_hint() const, seed_hint() const;
  Task<Result<void>> note_rest(); Task<Result<void>> check_rest();
  Task<Result<void>> check_place(); Task<Result<void>> judge_verification(const VerifyReport& report);

  Task<Result<void>> contact(); Task<Result<void>> follow(); void make_replayer();
  Task<Result<void>> copy_log(bool in_seed); Task<Result<void>> fetch_now(); Task<Result<void>> fetch_from(std::string node);
  Task<Result<void>> copy_once(bool in_seed, Backoff& backoff);  // ok: go on over a better path
  Task<Result<void>> exchange(PeerSession& session, storage::IncomingLog* log);  // until the session ends; ok: a better path is up
  Task<Result<void>> leave_for_better_path(transport::Endpoint used, bool& leaves);
  Task<Result<transport::Hello>> log_hello(bool with_log);
  Result<bool> judge(const transport::Welcome& welcome);
  Error went_back(Position there) const; void note_went_back();
  void meet_fork(const transport::Welcome& welcome);
  Task<Result<void>> leave_fork(); void tell_aside(Generation from, const std::string& cause);
  Task<Result<void>> take_own_log();
  Task<Result<void>> log_connection_ended(Error error, bool in_seed, Backoff& backoff);
  Task<Result<void>> seed_loop(); Task<Result<void>> seed_once(Backoff& backoff);
  Task<Result<void>> judge_sources(); Task<Result<void>> adopt(transport::Welcome welcome);
  Task<Result<void>> copy_log_when_open();
  Task<Result<void>> watch_seed(transport::FramedConnection& connection);
  Task<Result<void>> keep_house(); Task<Result<void>> replay_in_time();
  Task<Result<void>> truncate(); Duration kept_for() const;  // replayed log, on its own account
  Task<Result<void>> watch_quarantine(); Task<Result<void>> quarantine_full(Error error); Task<Result<void>> fail_for_good(std::string cause, std::string hint);
  void need_difference(std::string reason);
  void forget_proofs(), forget_log_times(), note_ages();
  void judge_root(const RootVerdict& verdict);
  Task<Result<void>> finish_when_decided(); Task<Result<void>> finish_seed();
  void consider_healthy(); bool at_rest() const;
  Task<Result<void>> run_target(seed::SeedTarget& target, transport::FramedConnection& connection,
                                std::optional<Result<seed::SeedOutcome>>& outcome, TaskGroup& group);
  Task<Result<void>> pages_are_here(seed::SeedOutcome outcome);
  Task<Result<void>> verify_disk(VerifyRequest request, VerifyReport& report, VerifyWatch& watch);
  Task<Result<void>> verify_active(VerifyRequest request, VerifyReport& report, VerifyWatch& watch);
  Task<Result<void>> verify_roots(VerifyReport& report);

  void commit_applied(Position position, CommitNumber commit) override;
  void seal_passed(const storage::SealFacts& seal, CommitNumber commit) override; void tip_heard(const transport::Tip& tip) override;
  void log_received(std::uint64_t log_bytes, std::uint64_t wire_bytes) override; void log_durable() override;
  Task<Result<void>> pass_opened(const transport::SeedOffer& offer) override; Task<Result<void>> pass_resumed(const transport::SeedOffer& offer) override;

  NodeContext& context_;
  const DatabaseConfig& database_;
  CopyStanding& standing_;
  Scrub& scrub_;
  std::unique_ptr<Scrubbed> scrubbed_;
  CopyPaths paths_;
  StateKeeper keeper_;
  Signal changed_;
  TaskGroup* phase_ = nullptr;
  std::shared_ptr<PassiveFiles> files_;
  RootLedger roots_;
  std::shared_ptr<Fetch> fetch_;  // that is wanted, or under way
  bool connected_ = false, caught_up_ = false;  // since it connected, everything the active had then was inspected here
  std::shared_ptr<Pulse> pulse_;                // while connected: of the connection's path
  Position backlog_end_, compare_from_;         // compare_from_: max_required when the phase began
  std::optional<transport::Tip> tip_;
  PositionTimes tip_times_;  // when tips were heard
  ReplayDelay delay_;        // when log was inspected here, and replayed
  Signal delay_changed_;
  Instant at_once_until_, ages_saved_; ReplayStop stop_;
  const transport::FramedConnection* connection_ = nullptr;
  Instant contact_lost_at_;  // by a log connection, or an attempt at one
  int inspect_tries_ = 0, source_tries_ = 0;
  std::uint64_t log_bytes_received_ = 0, wire_bytes_received_ = 0;
  bool opened_ = false, full_ = false, leaving_ = false, asked_ = false, verifying_ = false, pass_open_ = false, sources_tried_ = false;
  bool reopen_ = false, beyond_ = false;  // files_, before the next phase; engine/passive_fork.cc, note_went_back()
  std::uint64_t opened_inode_ = 0;  // of the page file in files_
  std::optional<storage::Quarantine> quarantine_;
  transport::Hello seed_hello_;      // of the present seed connection, and its answer: what they prove of the log here
  transport::Welcome seed_welcome_;
  std::optional<RootVerdict> seed_verdict_;
  std::string difference_reason_;
  std::optional<Generation> fork_;  // from where on the log here is not the active's; 0: not known
  std::uint64_t extents_seen_ = 0;  // of a seed, when its sources were judged last
  std::size_t seed_streams_ = 0;  // that were asked for since this node started
  seed::SeedTarget* seed_target_ = nullptr;
  seed::SeedCounters last_counters_;
  SeedCuts seed_cuts_;  // of its runs that are over
  SeedPace seed_pace_;
  storage::TokenBucket seed_rate_{{}};
};

}  // namespace ccr::engine
