// How a delayed copy waits: log is received and inspected at once, and replayed when replay_lag has passed.
#include <algorithm>
#include <utility>

#include "engine/log_keeper.h"
#include "engine/passive_copy.h"
#include "engine/passive_files.h"
#include "engine/retention.h"

namespace ccr::engine {

Lags PassiveCopy::lags() const {
  const std::string& node = context_.config.node;
  return {lag_of(database_.replay_lag, node), lag_of(database_.truncation_lag, node)};
}

// Pages that are being made equal are no copy yet, and its log decides whether they are: the delay begins behind that.
void PassiveCopy::pace_replay() {
  if (!files_ || !files_->replayer) return;
  const storage::CopyState& state = keeper_.state();
  const Instant now = context_.clock.now();
  const Position inspected = files_->log->inspected();
  const bool delayed = state.seeded && now >= at_once_until_;
  Position limit = stop_.limit(delay_.may_replay(inspected, delayed ? lags().replay : Duration::zero(), now), now);
  if (state.cut.known()) limit = std::min(limit, state.cut);
  // A batch that a crash cut off goes on: the pages may be there already.
  files_->replayer->set_limit(std::max(limit, std::min(state.max_required, inspected)));
  if (held()) delay_changed_.notify();
}

bool PassiveCopy::held() const { return files_ && files_->replayer && files_->replayer->limit() < files_->log->inspected(); }

std::optional<Duration> PassiveCopy::replay_due_in() const {
  if (!held()) return std::nullopt;
  return delay_.due_in(files_->replayer->limit(), lags().replay, context_.clock.now());
}

void PassiveCopy::replay_at_once(Duration lease) {
  const Instant now = context_.clock.now();
  const bool news = now >= at_once_until_ && held();
  at_once_until_ = std::max(at_once_until_, now + lease);
  pace_replay();
  hurry();
  if (!news) return;
  const Event event{"replay_lag_lifted", subject_of(database_, context_.config.node), {{"from", to_text(keeper_.state().min_required)}, {"to", to_text(files_->log->inspected())}}};
  context_.trace.record(event);
}

// Between two batches, and what a batch that was cut short promised is promised no more: so that each commit behind it can still be the last one.
Task<Result<Position>> PassiveCopy::freeze(Duration lease) {
  const std::shared_ptr<Replayer> replayer = files_ ? files_->replayer : nullptr;
  if (replayer) co_await replayer->hold();
  const PagesHeld held(files_, replayer);
  storage::CopyState& state = keeper_.state();
  if (replayer && replayer->exact()) state.max_required = state.min_required;
  stop_ = {std::max(state.min_required, state.max_required), std::max(stop_.until, context_.clock.now() + lease)};
  pace_replay();
  co_return stop_.at;
}

bool PassiveCopy::replay_rests() const { return keeper_.state().cut.known() || context_.clock.now() < stop_.until; }

void PassiveCopy::thaw() {
  stop_ = {};
  pace_replay();
}

Task<Result<void>> PassiveCopy::replay_in_time() {
  constexpr Duration least = std::chrono::milliseconds(10), most = std::chrono::seconds(1);
  for (;;) {
    while (!held()) co_await delay_changed_.wait();
    const Duration due = replay_due_in().value_or(most);
    co_await context_.clock.sleep(std::clamp(due, least, most));
    pace_replay();
  }
}

Duration PassiveCopy::kept_for() const { return std::max(lags().truncation, database_.retention.keep); }

// Replay needs log and a little below it, truncation_lag and the retention policy keep some.
std::optional<storage::TruncationFacts> PassiveCopy::truncation_facts() const {
  if (!files_ || files_->log->first().number == 0) return std::nullopt;
  const storage::CopyState& state = keeper_.state();
  const Instant now = context_.clock.now();
  const Duration lag = lags().truncation;
  storage::TruncationFacts facts;
  facts.first = files_->log->first();
  facts.open = std::max(files_->log->wanted().generation, facts.first);
  facts.replayed = state.min_required;
  facts.log_bytes = (facts.open.number - facts.first.number + 1) * database_.generation_bytes;
  facts.log_budget_bytes = database_.log_budget_bytes;
  const Position needed = lag > Duration::zero() ? std::min(state.min_required, delay_.kept_from(lag, now)) : state.min_required;
  const std::uint64_t from = needed.generation.number > sealed_generations_kept ? needed.generation.number - sealed_generations_kept : 0;
  const char* who = lag > Duration::zero() ? "the next handshake, truncation_lag" : "the next handshake";
  facts.pins.push_back({storage::Pin::Kind::copy, who, from > 0 ? Position::start_of({from}) : Position{}, false});
  facts.retained = retained_from(database_.retention, state, came());
  return facts;
}

// On this side the budget takes only what the policy keeps. Out of contact all stays: a copy that was the active one may alone have acknowledged
// it, which goes to quarantine then, and the next handshake tells.
Task<Result<void>> PassiveCopy::truncate() {
  if (!connected_) co_return Result<void>();
  std::optional<storage::TruncationFacts> facts = truncation_facts();
  if (!facts || !keeper_.state().seeded) co_return Result<void>();
  storage::TruncationVerdict verdict = storage::decide_truncation(*facts);
  if (verdict.give_up.number != 0) {
    CCR_CO_TRY(co_await give_up_log(context_, database_, keeper_, verdict.give_up, came(), facts->log_bytes));
    facts = truncation_facts();
    if (!facts) co_return Result<void>();
    verdict = storage::decide_truncation(*facts);
  }
  if (facts->first < verdict.below) co_return co_await files_->log->truncate_below(verdict.below);
  co_return Result<void>();
}

void PassiveCopy::note_backup(const storage::BackupMark& mark) {
  if (take_backup_mark(keeper_.state(), mark)) changed_.notify();
}

void PassiveCopy::note_access(storage::FileAccess access) {
  if (keeper_.state().access == access) return;
  keeper_.state().access = std::move(access);
  changed_.notify();
}

void PassiveCopy::forget_log_times() {
  delay_.clear();
  keeper_.state().received_ages.clear();
  keeper_.state().replayed_ages.clear();
  if (keeper_.state().cut.known()) keeper_.state().prepared = 0;  // what was agreed to was a place in that log
  keeper_.state().cut = {};
}

// What a restart must know goes into the state now and then, and with it to the disk.
void PassiveCopy::note_ages() {
  const Instant now = context_.clock.now();
  const Lags lags{this->lags().replay, kept_for()};
  if (lags.truncation > Duration::zero()) delay_.replayed(keeper_.state().min_required, now);
  if (now - ages_saved_ < ReplayDelay::save_interval(lags)) return;
  ages_saved_ = now;
  delay_.save(keeper_.state(), lags, now);
}

}  // namespace ccr::engine
