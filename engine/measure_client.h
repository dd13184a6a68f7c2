// MeasureClient is one connection of this node to a peer, for measuring: it asks for a step, takes its own part in it, and
// completes with what the side that counted has counted.
//
// Failure: the connection's error, busy where the peer takes part in another measurement, timeout where a step does not end
// step_grace_max after its time. After an error the connection is of no more use. Lifetime: the context outlives it. Threads: the
// node's executor.
#pragma once

#include <memory>
#include <string>

#include "base/task_group.h"
#include "engine/measure_stream.h"
#include "engine/node_context.h"
#include "engine/probe_file.h"
#include "engine/seed_probe.h"

namespace ccr::engine {

// What both ends of the connections of a measurement have beside the configuration.
struct MeasureWish {
  std::uint64_t window = 0;
  transport::MeasureCongestion congestion = transport::MeasureCongestion::as_configured;
};

class MeasureClient {
 public:
  static constexpr Duration step_grace_max = std::chrono::seconds(15);
  static constexpr std::uint64_t echoes_max = 1'000'000;

  // Completes when the peer takes part.
  static Task<Result<std::unique_ptr<MeasureClient>>> connect(NodeContext& context, std::string peer, std::uint64_t run,
                                                              MeasureWish wish = {});

  Task<Result<transport::MeasureEnd>> look();
  Task<Result<transport::MeasureEnd>> disk(std::string database, std::uint32_t block_bytes, Duration how_long);
  Task<Result<transport::MeasureEnd>> send(StreamPlan plan, Counting counting = {});     // as the peer counted it
  Task<Result<transport::MeasureEnd>> receive(StreamPlan plan, Counting counting = {});  // as it was counted here
  // One message of `bytes` at a time, there and back. With a file it is on this disk before it goes, and on the peer's before a
  // short answer comes back.
  Task<Result<void>> echo(std::uint32_t bytes, Duration how_long, LatencyHistogram& round_trips, ProbeFile* file = nullptr,
                          std::string database = "");

  // The peer is seeded with these pages; its count of them.
  Task<Result<transport::MeasureEnd>> seed(SeedProbe& pages, Duration how_long, std::string database);

  transport::ConnectionFacts facts() const { return connection_->facts(); }
  transport::Endpoint peer() const { return connection_->peer(); }
  std::uint64_t wire_bytes() const { return connection_->bytes_sent() + connection_->bytes_received(); }

 private:
  MeasureClient(NodeContext& context, std::uint64_t run, MeasureWish wish, std::unique_ptr<transport::FramedConnection> connection)
      : context_(context), run_(run), wish_(wish), connection_(std::move(connection)) {}

  Task<Result<void>> ask(transport::MeasureAsk ask);
  Task<Result<transport::MeasureEnd>> end_of_step();
  Task<Result<transport::MeasureEnd>> bounded(Duration how_long, Task<Result<transport::MeasureEnd>> step);
  Task<Result<transport::MeasureEnd>> ask_and_wait(transport::MeasureAsk ask);
  Task<Result<transport::MeasureEnd>> ask_and_send(transport::MeasureAsk ask, StreamPlan plan, Counting counting);
  Task<Result<transport::MeasureEnd>> ask_and_receive(transport::MeasureAsk ask, StreamPlan plan, Counting counting);
  Task<Result<transport::MeasureEnd>> ask_and_echo(transport::MeasureAsk ask, std::uint32_t bytes, LatencyHistogram& round_trips,
                                                   ProbeFile* file);
  Task<Result<transport::MeasureEnd>> ask_and_seed(transport::MeasureAsk ask, SeedProbe& pages);
  Task<Result<void>> serve(SeedProbe& pages, TaskGroup& group);

  NodeContext& context_;
  std::uint64_t run_;
  MeasureWish wish_;
  std::unique_ptr<transport::FramedConnection> connection_;
};

}  // namespace ccr::engine
