#include "tests/sim/sim_network.h"

#include <algorithm>

#include "tests/sim/sim_ports.h"

namespace ccr::sim {
namespace {

constexpr Duration first_retry = std::chrono::seconds(1);  // of a SYN without an answer; doubles

Error no_answer(const transport::Endpoint& to) { return {ErrorKind::unreachable, to.text() + ": no answer", ""}; }
Error refused(const transport::Endpoint& to) { return {ErrorKind::unreachable, to.text() + ": connection refused", ""}; }
bool is_wildcard(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

}  // namespace

SimNetwork::SimNetwork(World& world, NetworkOptions options) : world_(world), options_(options), random_(world.random("network")) {}

SimNetwork::~SimNetwork() {
  for (HostId host = 0; host < hosts_.size(); ++host) die(host, Death::vanishes);
}

HostId SimNetwork::add_host(std::string name, std::vector<std::string> addresses) {
  CCR_ASSERT(!addresses.empty());
  for (const std::string& address : addresses) CCR_ASSERT(host_of(address) == hosts_.size());
  hosts_.push_back({std::move(name), std::move(addresses), nullptr, false});
  links_.resize(hosts_.size());
  for (std::vector<Link>& row : links_) row.resize(hosts_.size());
  return hosts_.size() - 1;
}

HostId SimNetwork::host_of(const std::string& address) const {
  for (HostId host = 0; host < hosts_.size(); ++host) {
    const std::vector<std::string>& own = hosts_[host].addresses;
    if (std::find(own.begin(), own.end(), address) != own.end()) return host;
  }
  return hosts_.size();
}

std::unique_ptr<transport::Network> SimNetwork::attach(HostId host) {
  CCR_ASSERT(hosts_.at(host).session == nullptr);
  hosts_[host].session = std::make_shared<Session>(world_, *this, host);
  hosts_[host].powered = true;
  auto of_host = [host](const Stream& stream) { return stream.ends[0].host == host || stream.ends[1].host == host; };
  // What was sent to the machine while it was down is sent again, and now gets an answer.
  for_each_stream([&](Stream& stream) {
    if (of_host(stream)) retry(stream, draw_retransmission());
  });
  return std::make_unique<NodeNetwork>(hosts_[host].session);
}

void SimNetwork::die(HostId host, Death death) {
  const std::shared_ptr<Session> session = std::move(hosts_.at(host).session);
  hosts_[host].session = nullptr;
  if (session == nullptr && death == Death::closes) return;
  hosts_[host].powered = death == Death::closes;
  world_.note("net.died", host, static_cast<std::uint64_t>(death));
  if (session != nullptr) {
    session->network = nullptr;
    auto dead = [&session](const Listening* listening) { return listening->session == session; };
    listeners_.erase(std::remove_if(listeners_.begin(), listeners_.end(), dead), listeners_.end());
  }
  for_each_stream([&](Stream& stream) {
    for (const int side : {0, 1}) {
      if (stream.ends[side].host != host) continue;
      if (death == Death::closes) {
        close(stream, side);
      } else {
        vanish(stream, side);
      }
    }
    remove_if_over(stream);
  });
  if (session != nullptr) session->gate.sever();
}

void SimNetwork::pause(HostId host) {
  if (hosts_.at(host).session != nullptr) hosts_[host].session->gate.close();
}

void SimNetwork::resume(HostId host) {
  if (hosts_.at(host).session != nullptr) hosts_[host].session->gate.open();
}

// --- connect and listen ---

Result<void> SimNetwork::take_descriptor(HostId host, const std::string& what) {
  if (!hosts_[host].no_descriptors) return Result<void>();
  world_.count(Fault::no_descriptors, host);
  return no_descriptor(what);
}

std::shared_ptr<Stream> SimNetwork::make_stream(HostId client, HostId server, const transport::Endpoint& at) {
  auto stream = std::make_shared<Stream>();
  stream->id = next_stream_++;
  stream->network = this;
  stream->ends[0].host = client;
  stream->ends[0].address = {hosts_[client].addresses.front(), next_port_};
  stream->ends[1].host = server;
  stream->ends[1].address = at;
  next_port_ = next_port_ == 60'999 ? 32'768 : static_cast<std::uint16_t>(next_port_ + 1);  // Linux's range
  streams_.emplace(stream->id, stream);
  return stream;
}

SimNetwork::Listening* SimNetwork::listening_at(HostId host, const transport::Endpoint& at) {
  for (Listening* listening : listeners_) {
    if (listening->session->host != host || listening->local.port != at.port) continue;
    if (listening->local.host == at.host || is_wildcard(listening->local.host) || is_wildcard(at.host)) return listening;
  }
  return nullptr;
}

SimNetwork::Answer SimNetwork::knock(Session& session, const transport::Endpoint& to, std::shared_ptr<Stream>& made) {
  const HostId from = session.host, target = host_of(to.host);
  if (target == hosts_.size() || !hosts_[target].powered) return Answer::none;
  if (!passes(from, target) || !passes(target, from) || lost_.contains(to.host)) return Answer::none;
  Listening* listening = listening_at(target, to);
  if (listening == nullptr) return Answer::refused;
  if (listening->backlog.size() >= options_.backlog_max) return Answer::none;
  made = make_stream(from, target, to);
  listening->backlog.push_back(made);
  wake(listening->acceptor);
  return Answer::accepted;
}

Task<Result<std::unique_ptr<transport::Connection>>> SimNetwork::connect(std::shared_ptr<Session> session, transport::Endpoint to) {
  CCR_CO_TRY(take_descriptor(session->host, "connect to " + to.text()));
  const bool fails = planned(session->host, NetworkAction::connect);
  const Answer planned_answer = fails && random_.chance(1, 2) ? Answer::refused : Answer::none;
  const Instant begin = world_.now();
  for (Duration retry = first_retry;; retry *= 2) {
    const Duration round_trip = draw_delay() + draw_delay();
    co_await delay_for(session->gate, round_trip, "net.connect");
    if (session->network == nullptr) co_return network_severed();
    std::shared_ptr<Stream> made;
    const Answer answer = fails ? planned_answer : knock(*session, to, made);
    world_.note("net.knock", session->host, static_cast<std::uint64_t>(answer));
    if (answer == Answer::refused) co_return refused(to);
    if (answer == Answer::accepted) {
      std::unique_ptr<transport::Connection> connection = std::make_unique<SimConnection>(session, made, 0);
      co_return connection;
    }
    const Duration left = options_.connect_limit - (world_.now() - begin);
    const Duration wait = std::min(retry, left);
    if (wait <= Duration::zero()) co_return no_answer(to);
    co_await delay_for(session->gate, wait, "net.connect_again");
    if (session->network == nullptr) co_return network_severed();
  }
}

Result<std::unique_ptr<transport::Listener>> SimNetwork::listen(const std::shared_ptr<Session>& session,
                                                                const transport::Endpoint& at) {
  if (session->network == nullptr) return network_severed();
  CCR_TRY(take_descriptor(session->host, "listen on " + at.text()));
  if (planned(session->host, NetworkAction::listen)) return no_descriptor("listen on " + at.text());
  if (!is_wildcard(at.host) && host_of(at.host) != session->host) {
    return Error{ErrorKind::config, at.text() + ": not an address of this host", ""};
  }
  if (listening_at(session->host, at) != nullptr) return Error{ErrorKind::busy, at.text() + ": address in use", ""};
  auto listener = std::make_unique<SimListener>(session, at);
  listeners_.push_back(&listener->listening());
  std::unique_ptr<transport::Listener> as_listener = std::move(listener);
  return as_listener;
}

void SimNetwork::stop_listening(Listening& listening) {
  listeners_.erase(std::remove(listeners_.begin(), listeners_.end(), &listening), listeners_.end());
  for (const std::shared_ptr<Stream>& waiting : listening.backlog) close(*waiting, 1);
  listening.backlog.clear();
}

}  // namespace ccr::sim
