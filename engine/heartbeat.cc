#include "engine/heartbeat.h"

namespace ccr::engine {

PeerWatch::PeerWatch(Clock& clock, const TransportConfig& config)
    : clock_(clock), interval_(config.heartbeat_interval), missed_max_(config.heartbeat_missed), last_(clock.now()) {}

Task<Result<void>> PeerWatch::run(transport::FramedConnection& connection) {
  const Duration limit = interval_ * missed_max_;
  for (;;) {
    if (!reading_) heard();
    const Duration silent = clock_.now() - last_;
    if (silent >= limit) {
      connection.close();
      co_return Error{ErrorKind::timeout,
                      connection.peer().text() + " missed " + std::to_string(missed_max_) + " heartbeats (" +
                          std::to_string(std::chrono::duration<double>(limit).count()) + " s)",
                      ""};
    }
    co_await clock_.sleep(limit - silent);
  }
}

}  // namespace ccr::engine
