#include "engine/log_keeper.h"

#include <algorithm>
#include <utility>

#include "engine/retention.h"

namespace ccr::engine {

Task<Result<void>> LogKeeper::open(std::string directory, const storage::LogStream& log) {
  const Result<std::vector<storage::GenerationFile>> files = co_await storage::list_generations(context_.disk, std::move(directory));
  if (!files.ok()) co_return files.error();
  CCR_ASSERT(!files->empty());
  first_ = files->front().generation;
  open_ = log.open_generation();
  durable_ = log.durable();
  cut_backup_mark(keeper_.state(), durable_);
  ages_.restore(keeper_.state(), context_.clock.now());
  judge();
  co_return Result<void>();
}

storage::TruncationVerdict LogKeeper::judge() {
  const storage::TruncationFacts facts = this->facts();
  bytes_ = facts.log_bytes;
  storage::TruncationVerdict verdict = storage::decide_truncation(facts);
  full_ = verdict.full ? std::optional(verdict.held_by) : std::nullopt;
  return verdict;
}

Position LogKeeper::came() const { return ages_.kept_from(database_.retention.keep, context_.clock.now()); }

storage::TruncationFacts LogKeeper::facts() const {
  const storage::CopyState& state = keeper_.state();
  storage::TruncationFacts facts;
  facts.first = first_;
  facts.open = open_;
  facts.replayed = state.min_required;
  facts.log_bytes = (open_.number - first_.number + 1) * database_.generation_bytes;
  facts.log_budget_bytes = database_.log_budget_bytes;
  facts.pins = state.pins;
  if (backup_from_) facts.pins.push_back({storage::Pin::Kind::backup, "a backup", *backup_from_, false});
  facts.retained = retained_from(database_.retention, state, came());
  facts.budget_stops = database_.log_budget_stops;
  return facts;
}

// How old log is survives a restart.
void LogKeeper::note_ages() {
  const Lags lags{Duration::zero(), database_.retention.keep};
  const Instant now = context_.clock.now();
  if (lags.truncation == Duration::zero()) return;
  ages_.replayed(durable_, now);
  if (now - ages_saved_ < ReplayDelay::save_interval(lags)) return;
  ages_saved_ = now;
  ages_.save(keeper_.state(), lags, now);
}

// Durable and told before the first delete (FAULTS invariant 10): such a copy later takes a difference, not a full copy.
Task<Result<void>> LogKeeper::drop_pins(std::vector<std::string> owners) {
  for (storage::Pin& pin : keeper_.state().pins) {
    if (pin.kind != storage::Pin::Kind::copy || std::find(owners.begin(), owners.end(), pin.owner) == owners.end()) continue;
    pin.dropped = true;
    const Event event{"pin_dropped", subject_of(database_, pin.owner),
                      {{"from", to_text(pin.from)}, {"log_bytes", std::to_string(bytes_)}, {"log_budget_bytes", std::to_string(database_.log_budget_bytes)}}};
    context_.trace.record(event);
  }
  co_return co_await keeper_.save();
}

Task<Result<void>> give_up_log(NodeContext& context, const DatabaseConfig& database, StateKeeper& keeper, Generation below, Position came, std::uint64_t log_bytes) {
  const bool news = !retention_broken(database.retention, keeper.state(), came);
  keeper.state().log_given_up = Position::start_of(below);
  CCR_CO_TRY(co_await keeper.save());
  if (!news) co_return Result<void>();
  const Event event{"retention_given_up", subject_of(database, context.config.node),
                    {{"retention", database.retention.text()}, {"below", to_text(below)}, {"log_bytes", std::to_string(log_bytes)},
                     {"log_budget_bytes", std::to_string(database.log_budget_bytes)}}};
  context.trace.record(event);
  co_return Result<void>();
}

Task<Result<void>> LogKeeper::look(storage::LogStream& log) {
  open_ = log.open_generation();
  durable_ = log.durable();
  note_ages();
  storage::TruncationVerdict verdict = judge();
  if (!verdict.over_budget.empty()) CCR_CO_TRY(co_await drop_pins(verdict.over_budget));
  if (verdict.give_up.number != 0) CCR_CO_TRY(co_await give_up_log(context_, database_, keeper_, verdict.give_up, came(), bytes_));
  if (!verdict.over_budget.empty() || verdict.give_up.number != 0) verdict = judge();
  const Generation below = std::min(verdict.below, open_.previous());  // the newest sealed one stays whatever is wanted
  if (below <= first_) co_return Result<void>();
  const Result<Generation> first = co_await log.truncate_below(below);
  if (!first.ok()) co_return first.error();
  if (first->number != 0) first_ = *first;
  co_return Result<void>();
}

}  // namespace ccr::engine
