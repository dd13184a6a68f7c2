// SeedSources opens the streams of a seed besides its first connection: to each of its sources in turn.
//
// connect() completes with a connection whose Hello named the seed's history and was welcomed, or with the errors of connect_to_active();
// refused where that node's copy is of another history, or is not healthy. What is lost is an event. Lifetime: the arguments outlive it.
#pragma once

#include <string>
#include <vector>

#include "engine/node_context.h"
#include "seed/seed_transfer.h"

namespace ccr::engine {

// The nodes of a seed's source as its copy's state has them: "beta", or "beta,gamma".
std::vector<std::string> source_nodes(const std::string& source);

// What a seed from these nodes has of streams: `asked` of them, 0: as the configuration says. Each source has one at least.
seed::StreamsWanted streams_wanted(const TransportConfig& config, std::size_t asked, const std::vector<std::string>& sources, const std::string& active_node);

class SeedSources final : public seed::FurtherStreams {
 public:
  struct History {
    Signature signature;
    Epoch epoch = 0;
  };

  SeedSources(NodeContext& context, const DatabaseConfig& database, std::vector<std::string> nodes, History history);

  Task<Result<std::unique_ptr<transport::FramedConnection>>> connect(std::size_t number) override;
  void lost(const Error& error) override;

 private:
  NodeContext& context_;
  const DatabaseConfig& database_;
  std::vector<std::string> nodes_;
  History history_;
};

}  // namespace ccr::engine
