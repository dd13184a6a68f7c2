// Pulse is what the heartbeat connections of a path (engine/path_watch.h) tell the log connections beside them: that the peer lives.
//
// A log connection on which nothing changes rests on it instead of sending heartbeats of its own (engine/heartbeat.h). One for each peer, each
// of the addresses that are dialled, here or there, so that both ends of a path count the same connections.
// Lifetime: shared by who beats and who rests. Threads: the executor's.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "base/clock.h"
#include "transport/messages.h"

namespace ccr::engine {

class PeerWatch;

class Pulse {
 public:
  Pulse(Clock& clock, Duration silence_max, Duration rest_interval);
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  // While it lives a heartbeat connection is up; with the last of them gone, whoever rests begins to beat again.
  class Beating {
   public:
    explicit Beating(std::shared_ptr<Pulse> pulse);
    ~Beating();

   private:
    std::shared_ptr<Pulse> pulse_;
  };

  // What the peer counts. Where that stays different from what is believed here, a connection died alone: all are woken.
  void heard(const transport::PathBeat& beat);
  transport::PathBeat beat(std::uint64_t number) const;

  bool beating() const noexcept { return beating_ > 0; }
  Instant last() const noexcept { return last_; }       // heartbeat heard
  WallTime last_wall() const noexcept { return last_wall_; }

 private:
  friend class PeerWatch;

  Clock& clock_;
  const Duration silence_max_, rest_interval_;
  int beating_ = 0;
  Instant last_;
  WallTime last_wall_;
  Instant same_connections_, same_awake_;  // when both sides last counted the same
  Instant doubted_;                        // the last waking because of awake_
  std::list<PeerWatch*> watches_;
};

class Pulses {
 public:
  enum class Dialled { here, there };

  Pulses(Clock& clock, Duration silence_max, Duration rest_interval)
      : clock_(clock), silence_max_(silence_max), rest_interval_(rest_interval) {}
  std::shared_ptr<Pulse> of(const std::string& peer, const std::string& address, Dialled dialled);

 private:
  Clock& clock_;
  const Duration silence_max_, rest_interval_;
  std::map<std::tuple<std::string, std::string, Dialled>, std::weak_ptr<Pulse>> pulses_;  // those that nobody has are taken out
};

}  // namespace ccr::engine
