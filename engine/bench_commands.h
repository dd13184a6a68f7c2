// BenchCommands answers `bench` and `tune` of the control socket: measurements with a peer, as the client watches.
//
// A measurement is for whoever asked: it ends when the client leaves. Errors: usage, not_found (with 'did you mean'), busy,
// refused, and what the peer or the connection says. Bounds: measure_seconds_max of one measurement, one at a time on this node.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "engine/control.h"
#include "engine/measure_json.h"
#include "engine/node.h"

namespace ccr::engine {

class BenchCommands {
 public:
  BenchCommands(Node& node, NodeContext& context) : node_(node), context_(context) {}

  Task<Result<nlohmann::json>> bench(const ControlRequest& request, ControlReply& reply);
  Task<Result<nlohmann::json>> tune(const ControlRequest& request, ControlReply& reply);

 private:
  Task<Result<nlohmann::json>> link(LinkRequest request, ControlReply& reply);
  Task<Result<nlohmann::json>> ship(Hosted& hosted, ShipRequest request, ControlReply& reply);

  // Runs what `make` makes of the request, in the node's turn, and tells what `text` makes of its report.
  template <class Request, class Make, class Text>
  Task<Result<nlohmann::json>> measured(Request request, Make make, Text text, ControlReply& reply);
  template <class Measurement, class Request, class Text>
  Task<Result<nlohmann::json>> measured_as(Request request, Text text, ControlReply& reply);
  Result<std::string> peer_of(const ControlRequest& request) const;
  Result<double> seconds_of(const ControlRequest& request, double fallback) const;
  Result<LinkRequest> link_request(const ControlRequest& request) const;
  Result<DiskRequest> disk_request(const ControlRequest& request) const;
  Result<SeedBenchRequest> seed_request(const ControlRequest& request) const;
  Result<ShipRequest> ship_request(const ControlRequest& request) const;
  Result<Hosted*> shipping_database(const ControlRequest& request, const std::string& peer) const;
  Result<void> known_database(const std::string& name) const;
  Instant end_of(double seconds) const;
  MeasuredBy measured_by(const std::string& peer) const;
  Task<Result<nlohmann::json>> watched(Task<Result<nlohmann::json>> work, const MeasureProgress& progress, Instant end,
                                       ControlReply& reply);

  Node& node_;
  NodeContext& context_;
};

}  // namespace ccr::engine
