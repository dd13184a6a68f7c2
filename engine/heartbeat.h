// A peer that is silent for `missed` intervals is dead: its connection is closed, whatever TCP still believes (FAULTS row 21).
#pragma once

#include "base/clock.h"
#include "engine/config.h"
#include "transport/framed_connection.h"

namespace ccr::engine {

class PeerWatch {
 public:
  PeerWatch(Clock& clock, const TransportConfig& config);
  void heard() noexcept { last_ = clock_.now(); }
  // While this node itself does not read (its disk is slow), silence is not the peer's.
  void reading(bool now) noexcept {
    reading_ = now;
    heard();
  }
  // Returns timeout, and closes the connection, once nothing was heard for too long.
  Task<Result<void>> run(transport::FramedConnection& connection);

 private:
  Clock& clock_;
  Duration interval_;
  int missed_max_;
  Instant last_;
  bool reading_ = true;
};

}  // namespace ccr::engine
