#include "engine/pulse.h"

#include <algorithm>
#include <utility>

#include "engine/heartbeat.h"

namespace ccr::engine {

Pulse::Pulse(Clock& clock, Duration silence_max, Duration rest_interval)
    : clock_(clock), silence_max_(silence_max), rest_interval_(rest_interval), last_(clock.now()), agreed_(last_), doubted_(last_) {}

Pulse::Beating::Beating(std::shared_ptr<Pulse> pulse) : pulse_(std::move(pulse)) { ++pulse_->beating_; }

Pulse::Beating::~Beating() {
  if (--pulse_->beating_ > 0) return;
  for (PeerWatch* watch : pulse_->watches_) watch->wake();
}

void Pulse::heard(std::uint32_t awake_there) {
  last_ = clock_.now();
  last_wall_ = clock_.wall_now();
  const auto believed = std::count_if(watches_.begin(), watches_.end(), [](const PeerWatch* watch) { return !watch->peer_rests(); });
  if (static_cast<std::uint32_t>(believed) == awake_there) agreed_ = last_;
  if (last_ - agreed_ < silence_max_ || last_ - doubted_ < rest_interval_) return;
  doubted_ = agreed_ = last_;
  for (PeerWatch* watch : watches_) watch->stir();
}

std::uint32_t Pulse::awake_here() const {
  return static_cast<std::uint32_t>(
      std::count_if(watches_.begin(), watches_.end(), [](const PeerWatch* watch) { return !watch->rests(); }));
}

std::shared_ptr<Pulse> Pulses::of(const std::string& peer, const std::string& address, Dialled dialled) {
  std::erase_if(pulses_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<Pulse>& entry = pulses_[{peer, address, dialled}];
  std::shared_ptr<Pulse> pulse = entry.lock();
  if (pulse == nullptr) entry = pulse = std::make_shared<Pulse>(clock_, silence_max_, rest_interval_);
  return pulse;
}

}  // namespace ccr::engine
