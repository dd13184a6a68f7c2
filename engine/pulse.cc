#include "engine/pulse.h"

#include <algorithm>
#include <utility>

#include "engine/heartbeat.h"

namespace ccr::engine {

Pulse::Pulse(Clock& clock, Duration silence_max, Duration rest_interval)
    : clock_(clock), silence_max_(silence_max), rest_interval_(rest_interval), last_(clock.now()), same_connections_(last_), same_awake_(last_), doubted_(last_ + -rest_interval) {}

Pulse::Beating::Beating(std::shared_ptr<Pulse> pulse) : pulse_(std::move(pulse)) { ++pulse_->beating_; }

Pulse::Beating::~Beating() {
  if (--pulse_->beating_ > 0) return;
  for (PeerWatch* watch : pulse_->watches_) watch->wake();
}

void Pulse::heard(const transport::PathBeat& beat) {
  last_ = clock_.now();
  last_wall_ = clock_.wall_now();
  const auto awake = std::count_if(watches_.begin(), watches_.end(), [](const PeerWatch* watch) { return !watch->peer_rests(); });
  if (beat.connections == watches_.size()) same_connections_ = last_;
  if (beat.awake == static_cast<std::uint32_t>(awake)) same_awake_ = last_;
  const bool one_is_gone = last_ - same_connections_ >= silence_max_;
  const bool one_is_deaf = last_ - same_awake_ >= silence_max_ && last_ - doubted_ >= rest_interval_;
  if (!one_is_gone && !one_is_deaf) return;
  if (one_is_deaf) doubted_ = last_;
  same_connections_ = same_awake_ = last_;
  for (PeerWatch* watch : watches_) watch->stir();
}

transport::PathBeat Pulse::beat(std::uint64_t number) const {
  const auto awake = std::count_if(watches_.begin(), watches_.end(), [](const PeerWatch* watch) { return !watch->rests(); });
  return {number, static_cast<std::uint32_t>(watches_.size()), static_cast<std::uint32_t>(awake)};
}

std::shared_ptr<Pulse> Pulses::of(const std::string& peer, const std::string& address, Dialled dialled) {
  std::erase_if(pulses_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<Pulse>& entry = pulses_[{peer, address, dialled}];
  std::shared_ptr<Pulse> pulse = entry.lock();
  if (pulse == nullptr) entry = pulse = std::make_shared<Pulse>(clock_, silence_max_, rest_interval_);
  return pulse;
}

}  // namespace ccr::engine
