#include "engine/seed_sources.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/peer_client.h"

namespace ccr::engine {

std::vector<std::string> source_nodes(const std::string& source) {
  std::vector<std::string> nodes;
  for (std::size_t begin = 0; begin <= source.size() && !source.empty();) {
    const std::size_t end = std::min(source.find(',', begin), source.size());
    nodes.push_back(source.substr(begin, end - begin));
    begin = end + 1;
  }
  return nodes;
}

seed::StreamsWanted streams_wanted(const TransportConfig& config, std::size_t asked, const std::vector<std::string>& sources, const std::string& active_node) {
  CCR_ASSERT(!sources.empty());
  if (asked == 0 && config.streams != "auto") {
    std::from_chars(config.streams.data(), config.streams.data() + config.streams.size(), asked);
  }
  seed::StreamsWanted wanted;
  wanted.first_carries = std::find(sources.begin(), sources.end(), active_node) != sources.end();
  wanted.least = std::max(std::max<std::size_t>(asked, 1), sources.size());
  wanted.most = asked == 0 ? std::max(wanted.least, seed::StreamsWanted::automatic_max) : wanted.least;
  return wanted;
}

// The active one's share begins with the pass's first connection, so further ones begin elsewhere.
SeedSources::SeedSources(NodeContext& context, const DatabaseConfig& database, std::vector<std::string> nodes, History history)
    : context_(context), database_(database), nodes_(std::move(nodes)), history_(history) {
  const auto active = std::find(nodes_.begin(), nodes_.end(), database_.copies.front());
  if (active != nodes_.end()) std::rotate(active, active + 1, nodes_.end());
}

Task<Result<std::unique_ptr<transport::FramedConnection>>> SeedSources::connect(std::size_t number) {
  std::string node = nodes_[number % nodes_.size()];
  transport::Hello hello = hello_about(transport::Purpose::pages, database_, history_.signature, history_.epoch);
  return connect_to_copy(context_, std::move(node), std::move(hello));
}

void SeedSources::lost(const Error& error) {
  const Event event{"seed_stream_lost", subject_of(database_, context_.config.node), {{"cause", error.message}}};
  context_.trace.record(event);
}

}  // namespace ccr::engine
