// PeerWatch is one end's part in the heartbeats of a log connection: when the next is due here, and whether the peer still lives.
//
// A peer that is silent for `missed` intervals is dead: its connection is closed, whatever TCP still believes (FAULTS row 21). Where nothing
// changes on either side, and the path's own heartbeats come back (engine/pulse.h), a connection rests: it sends one after rest_intervals, and
// the silence that counts is the path's. Whatever changes wakes it, and then the peer owes an answer as ever.
// Lifetime: not longer than the Pulse and the connection. Threads: the executor's.
#pragma once

#include <list>
#include <memory>

#include "base/clock.h"
#include "base/signal.h"
#include "engine/config.h"
#include "engine/pulse.h"
#include "transport/framed_connection.h"

namespace ccr::engine {

class PeerWatch {
 public:
  static constexpr int calm_intervals = 10;  // without a change, before it rests
  static constexpr int rest_intervals = 50;  // from one heartbeat to the next at rest; twice as many without any are silence

  PeerWatch(const Executor& executor, Clock& clock, const TransportConfig& config, std::shared_ptr<Pulse> pulse);
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  void heard(bool at_rest = false);  // at_rest: the peer's own word
  // Something is sent, or came, that was not said before.
  void stir();
  // What there was to rest on is gone: heartbeats begin again, and the silence so far counts, but for answer_within().
  void wake();
  // Before each heartbeat: rests() is then what it says.
  void try_rest();
  // Until the next heartbeat is due.
  Task<void> pause();

  // While this node itself does not read (its disk is slow), silence is not the peer's.
  void reading(bool now) noexcept {
    reading_ = now;
    last_ = clock_.now();
  }
  bool rests() const noexcept { return rests_; }
  bool peer_rests() const noexcept { return peer_rests_; }
  const std::shared_ptr<Pulse>& pulse() const noexcept { return pulse_; }

  // Returns timeout, and closes the connection, once nothing was heard for too long.
  Task<Result<void>> run(transport::FramedConnection& connection);

 private:
  Duration answer_within() const noexcept { return interval_ * 3 / 4; }

  Clock& clock_;
  const Duration interval_, silence_max_;
  const int missed_max_;
  std::shared_ptr<Pulse> pulse_;
  std::list<PeerWatch*>::iterator place_;
  Instant last_;   // the peer was heard, or began to owe an answer
  Instant calm_;   // the last change
  Signal woken_;
  bool rests_ = false, said_rest_ = false, peer_rests_ = false, reading_ = true;
};

}  // namespace ccr::engine
