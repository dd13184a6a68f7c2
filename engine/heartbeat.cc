#include "engine/heartbeat.h"

#include <algorithm>
#include <utility>

#include "base/timeout.h"

namespace ccr::engine {

PeerWatch::PeerWatch(const Executor& executor, Clock& clock, const TransportConfig& config, std::shared_ptr<Pulse> pulse)
    : clock_(clock),
      interval_(config.heartbeat_interval),
      silence_max_(config.silence_max()),
      missed_max_(config.heartbeat_missed),
      pulse_(std::move(pulse)),
      last_(clock.now()),
      calm_(last_),
      woken_(executor) {
  place_ = pulse_->watches_.insert(pulse_->watches_.end(), this);
}

PeerWatch::~PeerWatch() { pulse_->watches_.erase(place_); }

void PeerWatch::heard(bool at_rest) {
  last_ = clock_.now();
  peer_rests_ = at_rest;
  if (!at_rest) wake();
}

void PeerWatch::stir() {
  calm_ = clock_.now();
  if (rests_) last_ = calm_;
  wake();
}

void PeerWatch::wake() {
  if (!rests_) return;
  rests_ = false;
  last_ = std::max({last_, pulse_->last(), clock_.now() + (answer_within() - silence_max_)});
  woken_.notify();
}

void PeerWatch::try_rest() {
  rests_ = reading_ && pulse_->beating() && last_ > calm_ && clock_.now() - calm_ >= interval_ * calm_intervals;
  said_rest_ = rests_;
}

Task<void> PeerWatch::pause() {
  const auto awake = [this] { return !rests_; };
  if (said_rest_) {  // woken while it was said: at once
    co_await wait_for(clock_, interval_ * rest_intervals, woken_, awake);
  } else {
    co_await clock_.sleep(interval_);
  }
}

Task<Result<void>> PeerWatch::run(transport::FramedConnection& connection) {
  const auto awake = [this] { return !rests_; };
  for (;;) {
    const Instant now = clock_.now();
    if (!reading_) last_ = now;
    const bool both_rest = rests_ && peer_rests_;
    const int missed = both_rest ? 2 : missed_max_;
    const Duration each = both_rest ? interval_ * rest_intervals : interval_;
    const Duration left = each * missed - (now - last_);
    if (left <= Duration::zero()) {
      connection.close();
      co_return Error{ErrorKind::timeout,
                      connection.peer().text() + " missed " + std::to_string(missed) + " heartbeats (" +
                          std::to_string(std::chrono::duration<double>(each * missed).count()) + " s)",
                      ""};
    }
    if (both_rest) {
      co_await wait_for(clock_, left, woken_, awake);  // the path's end wakes it
    } else {
      co_await clock_.sleep(left);
    }
  }
}

}  // namespace ccr::engine
