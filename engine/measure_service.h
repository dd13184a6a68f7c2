// MeasureService takes part in the measurements of peers: it sends, counts, echoes, and measures its own disk, as a proven peer
// asks.
//
// serve() completes when the connection ends, with its error unless the peer just left. Turn: one measurement at a time on a node,
// its own or a peer's, so that nobody measures somebody else's load; all connections of a measurement name the same run. A
// measurement ends with its connections. Lifetime: context and turn outlive serve(). Threads: the node's executor. Bounds:
// MeasureTurn::connections_max, connection_life_max, and those of the messages.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/node_context.h"
#include "engine/probe_file.h"
#include "transport/framed_connection.h"

namespace ccr::engine {

class MeasureTurn {
 public:
  static constexpr int connections_max = 10;  // eight streams, and two that look on

  // busy: another measurement runs. Each join() is followed by one leave().
  Result<void> join(const std::string& owner, std::uint64_t run);
  void leave();
  int connections() const noexcept { return connections_; }

 private:
  std::string owner_;  // the node that measures
  std::uint64_t run_ = 0;
  int connections_ = 0;
};

class MeasureService {
 public:
  static constexpr Duration connection_life_max = std::chrono::seconds(90);  // 60 s of measuring, and what is between

  MeasureService(NodeContext& context, MeasureTurn& turn) : context_(context), turn_(turn) {}
  Task<Result<void>> serve(std::unique_ptr<transport::FramedConnection> connection, std::string peer);

 private:
  Task<Result<void>> answer_asks(transport::FramedConnection& connection, std::string peer);
  Task<Result<void>> take_part(transport::FramedConnection& connection, transport::MeasureAsk ask);
  Task<Result<transport::MeasureEnd>> disk(transport::MeasureAsk ask);
  Task<Result<transport::MeasureEnd>> seed(transport::FramedConnection& connection, transport::MeasureAsk ask);
  Task<Result<transport::MeasureEnd>> echo(transport::FramedConnection& connection, transport::MeasureAsk ask);

  NodeContext& context_;
  MeasureTurn& turn_;
  std::uint64_t probes_ = 0;  // seeds that were measured here, so that each has a name of its own
};

const char* name_of(transport::MeasureCongestion congestion) noexcept;                        // empty: as configured
std::optional<transport::MeasureCongestion> congestion_of(const std::string& name) noexcept;  // nullopt: none that is tried

}  // namespace ccr::engine
