// The ports of a SimNetwork: what one life of a node holds of it (transport/network.h).
#pragma once

#include <deque>

#include "tests/sim/sim_network.h"

namespace ccr::sim {

struct SimNetwork::Session {
  Session(World& world, SimNetwork& owner, HostId of) : gate(world), network(&owner), host(of) {}
  Gate gate;
  SimNetwork* network;  // null when the life has ended
  HostId host;
};

struct SimNetwork::Listening {
  std::shared_ptr<Session> session;
  transport::Endpoint local;
  std::deque<std::shared_ptr<Stream>> backlog;
  Wait* acceptor = nullptr;
};

Error network_severed();  // what a call of a life that has ended answers
Error no_descriptor(const std::string& what);

class SimConnection final : public transport::Connection {
 public:
  SimConnection(std::shared_ptr<SimNetwork::Session> session, std::shared_ptr<Stream> stream, int side);
  ~SimConnection() override;

  Task<Result<std::size_t>> read_some(ByteSpan into) override;
  Task<Result<void>> write(std::span<const ByteView> pieces) override;
  void close() override;
  transport::Endpoint peer() const override;
  transport::ConnectionFacts facts() const override;

 private:
  Task<Result<void>> write_all(std::span<const ByteView> pieces);
  Error fail();
  End& end() const noexcept { return stream_->ends[side_]; }

  std::shared_ptr<SimNetwork::Session> session_;
  std::shared_ptr<Stream> stream_;
  int side_;
};

class SimListener final : public transport::Listener {
 public:
  SimListener(std::shared_ptr<SimNetwork::Session> session, transport::Endpoint local);
  ~SimListener() override;

  Task<Result<std::unique_ptr<transport::Connection>>> accept() override;
  transport::Endpoint local() const override { return listening_.local; }
  SimNetwork::Listening& listening() noexcept { return listening_; }

 private:
  SimNetwork::Listening listening_;
};

class NodeNetwork final : public transport::Network {
 public:
  explicit NodeNetwork(std::shared_ptr<SimNetwork::Session> session) : session_(std::move(session)) {}

  Task<Result<std::unique_ptr<transport::Connection>>> connect(transport::Endpoint to) override;
  Result<std::unique_ptr<transport::Listener>> listen(transport::Endpoint at) override;

 private:
  std::shared_ptr<SimNetwork::Session> session_;
};

}  // namespace ccr::sim
