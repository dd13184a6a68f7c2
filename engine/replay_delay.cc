#include "engine/replay_delay.h"

namespace ccr::engine {
namespace {

std::vector<storage::LogAge> ages_of(const PositionTimes& times, Position done, Instant now) {
  std::vector<storage::LogAge> ages;
  for (const PositionTimes::Age& age : times.summary(done, now, storage::CopyState::ages_max)) ages.push_back({age.position, age.age});
  return ages;
}

std::vector<PositionTimes::Age> summary_of(const std::vector<storage::LogAge>& ages) {
  std::vector<PositionTimes::Age> summary;
  for (const storage::LogAge& age : ages) summary.push_back({age.position, age.age});
  return summary;
}

}  // namespace

void ReplayDelay::clear() {
  received_.clear();
  replayed_.clear();
}

Position ReplayDelay::may_replay(Position inspected, Duration lag, Instant now) const {
  if (lag <= Duration::zero()) return inspected;
  return std::min(inspected, received_.reached_by(now + -lag));
}

std::optional<Duration> ReplayDelay::due_in(Position limit, Duration lag, Instant now) const {
  const std::optional<Instant> received = received_.next_beyond(limit);
  if (!received) return std::nullopt;
  return std::max(Duration::zero(), *received + lag - now);
}

Duration ReplayDelay::save_interval(const Lags& lags) {
  constexpr Duration least = std::chrono::seconds(1), most = std::chrono::minutes(1);
  const Duration shorter = lags.replay > Duration::zero() && lags.truncation > Duration::zero() ? std::min(lags.replay, lags.truncation)
                                                                                                : std::max(lags.replay, lags.truncation);
  return std::clamp(shorter / 64, least, most);
}

void ReplayDelay::save(storage::CopyState& state, const Lags& lags, Instant now) const {
  state.received_ages.clear();
  state.replayed_ages.clear();
  if (lags.replay > Duration::zero()) state.received_ages = ages_of(received_, state.min_required, now);
  if (lags.truncation > Duration::zero()) state.replayed_ages = ages_of(replayed_, kept_from(lags.truncation, now), now);
}

void ReplayDelay::restore(const storage::CopyState& state, Instant now) {
  received_.restore(summary_of(state.received_ages), now);
  replayed_.restore(summary_of(state.replayed_ages), now);
}

}  // namespace ccr::engine
