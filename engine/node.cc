#include "engine/node.h"

#include <algorithm>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/timeout.h"
#include "engine/active_seed.h"
#include "engine/certificate_dates.h"
#include "engine/commands.h"
#include "engine/heartbeat.h"
#include "engine/log_fetch.h"
#include "engine/passive_source.h"
#include "engine/path_watch.h"
#include "engine/shipper.h"

namespace ccr::engine {

using transport::Purpose;

Node::Node(Executor executor, Clock& clock, storage::Disk& disk, transport::Network& network, Random random, Trace& trace, Config config,
           SourceFactory factory, CpuPool* cpu, Programs* programs)
    : executor_(executor),
      random_(random),
      config_(std::move(config)),
      events_(executor, clock, trace),
      histories_(config_.transport.compression_memory_bytes),
      paths_(executor, clock, events_, config_.node),
      pulses_(clock, config_.transport.silence_max(), config_.transport.heartbeat_interval * PeerWatch::rest_intervals),
      contacts_(clock, events_, config_.node),
      disk_(disk, clock),
      context_{executor_, clock, disk_, network, random_, events_, config_, cpu != nullptr ? *cpu : own_cpu_, histories_, paths_, pulses_, contacts_, programs},
      event_file_(disk, clock, config_.state_dir, events_, trace, config_.node),
      factory_(std::move(factory)),
      roles_(context_, databases_),
      refusals_(events_, config_.node),
      seed_rate_({config_.transport.seed_bytes_per_second, storage::extent_bytes}),
      measuring_(context_, measure_turn_) {
  for (const auto& [name, node] : config_.nodes)
    if (name != config_.node) paths_.add(name, node.addresses);
  for (const auto& [name, database] : config_.databases)
    if (database.has_copy(config_.node)) add_hosted(database);
}

Node::~Node() = default;

Hosted* Node::find(const std::string& database) {
  const auto found = databases_.find(database);
  return found == databases_.end() ? nullptr : found->second.get();
}

Task<Result<void>> Node::run() {
  std::vector<std::unique_ptr<transport::Listener>> listeners;
  const auto self = config_.nodes.find(config_.node);
  CCR_ASSERT(self != config_.nodes.end());
  std::vector<transport::Endpoint> missing;  // an interface may be down, and the node is needed over the others
  std::optional<Error> fault;
  for (const transport::Endpoint& address : self->second.addresses) {
    Result<std::unique_ptr<transport::Listener>> listener = context_.network.listen(address);
    if (listener.ok()) {
      listeners.push_back(std::move(*listener));
      continue;
    }
    if (listener.error().kind != ErrorKind::config) co_return listener.error();
    fault = listener.error();
    missing.push_back(address);
  }
  if (listeners.empty()) co_return *fault;
  TaskGroup group(executor_);
  struct Working {
    Node& node;
    Working(Node& n, TaskGroup& group) : node(n) { node.work_ = &group; }
    ~Working() { node.work_ = nullptr; }
  } working(*this, group);
  for (std::unique_ptr<transport::Listener>& listener : listeners) group.spawn(accept(std::move(listener), group));
  for (const transport::Endpoint& address : missing) group.spawn(listen_later(address, group));
  for (const auto& [name, hosted] : databases_) group.spawn(keep(*hosted));
  group.spawn(watch_certificate());
  group.spawn(roles_.end_first_round());
  for (const auto& [name, node] : config_.nodes)
    if (name != config_.node) group.spawn(roles_.watch(name));
  group.spawn(event_file_.run());
  const Event started{"node_started", config_.node, {{"disk", std::string(context_.disk.name())}, {"databases", std::to_string(databases_.size())}}};
  events_.record(started);
  co_return co_await group.join();
}

void Node::spawn(Task<Result<void>> work) {
  if (work_ != nullptr) work_->spawn(std::move(work), TaskGroup::OnError::keep_others);
}

Task<Result<nlohmann::json>> Node::handle(ControlRequest request, ControlReply& reply) {
  Commands commands(*this, context_, events_);
  co_return co_await commands.run(std::move(request), reply);
}

void Node::look_at_certificate() {
  const std::optional<transport::OwnCertificate> own = context_.network.own_certificate();
  if (!own) return;
  const std::optional<Event> event = certificate_event(*own, config_.node, context_.clock.wall_now());
  if (event) events_.record(*event);
}

Task<Result<void>> Node::watch_certificate() {
  if (!context_.network.own_certificate()) co_return Result<void>();
  for (;;) {
    look_at_certificate();
    co_await context_.clock.sleep(certificate_look_interval);
  }
}

// --- peers -----------------------------------------------------------------------------------------------------------------

Task<Result<void>> Node::listen_later(transport::Endpoint address, TaskGroup& group) {
  constexpr Duration pause = std::chrono::seconds(1);
  bool told = false;
  for (;;) {
    Result<std::unique_ptr<transport::Listener>> listener = context_.network.listen(address);
    if (!listener.ok() && !told) {
      const Event event{"address_missing", config_.node, {{"address", address.text()}, {"cause", listener.error().message}, {"hint", listener.error().hint}}};
      events_.record(event);
      told = true;
    }
    if (listener.ok()) {
      const Event event{"address_found", config_.node, {{"address", address.text()}}};
      events_.record(event);
      group.spawn(accept(std::move(*listener), group));
      co_return Result<void>();
    }
    co_await context_.clock.sleep(pause);
  }
}

Task<Result<void>> Node::accept(std::unique_ptr<transport::Listener> listener, TaskGroup& group) {
  for (;;) {
    Result<std::unique_ptr<transport::Connection>> accepted = co_await listener->accept();
    if (!accepted.ok()) {
      constexpr Duration pause = std::chrono::milliseconds(100);  // out of descriptors, say: it passes
      const bool gone = accepted.error().kind == ErrorKind::disconnected;  // a pause after each few would keep out who comes behind them
      if (!gone) co_await context_.clock.sleep(pause);
      continue;
    }
    const transport::Endpoint peer = (*accepted)->peer();
    const Result<Admission::Admitted> admitted = admission_.admit(peer.host, context_.clock.now());
    if (!admitted.ok()) {
      refusals_.record(peer.text(), admitted.error(), context_.clock.now());
      continue;  // closes it
    }
    if (admitted->pushed_out) greetings_.at(*admitted->pushed_out)->close();
    greetings_.emplace(admitted->number, accepted->get());
    group.spawn(greet_and_tell(std::move(*accepted), admitted->number));
  }
}

// Before its welcome a peer is nobody: what goes wrong with it is an event, never the node's error.
Task<Result<void>> Node::greet_and_tell(std::unique_ptr<transport::Connection> connection, std::uint64_t number) {
  struct Greeting {
    Node& node;
    std::uint64_t number;
    bool proven = false;
    ~Greeting() {
      node.greetings_.erase(number);
      node.admission_.leave(number, proven);
    }
  };
  const transport::Endpoint peer = connection->peer();
  Greeting greeting{*this, number};
  const Result<void> greeted = co_await greet(std::move(connection), greeting.proven);
  if (!greeted.ok()) refusals_.record(peer.text(), greeted.error(), context_.clock.now());
  co_return Result<void>();
}

Task<Result<transport::Hello>> Node::receive_hello(transport::FramedConnection& connection) {
  Result<transport::Message> message = co_await connection.receive();
  if (!message.ok()) co_return message.error();
  auto* hello = std::get_if<transport::Hello>(&*message);
  if (hello == nullptr) co_return Error{ErrorKind::protocol, connection.peer().text() + " did not begin with a hello", ""};
  co_return std::move(*hello);
}

Task<Result<void>> Node::greet(std::unique_ptr<transport::Connection> raw, bool& proven) {
  const std::string peer = raw->peer().text();
  CCR_CO_TRY(co_await with_timeout(context_.clock, tls_timeout, "TLS handshake with " + peer, raw->prove()));
  std::string proven_peer = raw->proven_node();
  proven = !proven_peer.empty();
  std::unique_ptr<Contacts::Attached> attached = contacts_.attach(std::move(raw));
  Contacts::Attached& contact = *attached;
  auto connection = std::make_unique<transport::FramedConnection>(executor_, std::move(attached));
  Result<transport::Hello> hello = co_await with_timeout(context_.clock, hello_timeout, "hello of " + peer, receive_hello(*connection));
  if (!hello.ok()) co_return hello.error();
  CCR_CO_TRY(contact.belongs_to(hello->from_node));
  Result<transport::HandshakeAnswer> answer = co_await answer_hello(*hello, std::move(proven_peer));
  if (!answer.ok()) co_return answer.error();
  if (answer->refuse) {
    transport::Message message(*answer->refuse);
    CCR_CO_TRY(co_await with_timeout(context_.clock, hello_timeout, "refusal to " + peer, connection->send(std::move(message))));
    co_return Error{ErrorKind::refused, answer->refuse->text, answer->refuse->hint};
  }
  transport::Message message(answer->welcome);
  CCR_CO_TRY(co_await with_timeout(context_.clock, hello_timeout, "welcome to " + peer, connection->send(std::move(message))));
  connection->set_session(hello->session);
  proven = true;
  if (hello->purpose == Purpose::path) {
    spawn(serve_heartbeats(std::move(connection), std::move(*hello)));
    co_return Result<void>();
  }
  if (hello->purpose == Purpose::measure) {
    spawn(serve_measuring(std::move(connection), hello->from_node));
    co_return Result<void>();
  }
  if (hello->purpose == Purpose::roles) {
    spawn(serve_roles(std::move(connection), hello->from_node));
    co_return Result<void>();
  }
  Hosted* hosted = find(hello->database);
  if (hosted == nullptr) co_return Result<void>();
  if (!hosted->is_active_here && hello->purpose == Purpose::pages) {
    spawn(serve_pages(std::move(connection), *hosted, hello->from_node));
  } else if (TaskGroup* group = service_of(*hosted, hello->purpose)) {  // else it was dismounted meanwhile
    group->spawn(serve(std::move(connection), *hosted, std::move(*hello)));
  }
  co_return Result<void>();
}

namespace {

// While it lives a connection is on its list, where `most` have room: a newer one takes the place of the oldest.
struct Listed {
  std::list<transport::FramedConnection*>& list;
  transport::FramedConnection* connection;
  Listed(std::list<transport::FramedConnection*>& l, transport::FramedConnection* c, std::size_t most) : list(l), connection(c) {
    std::size_t over = list.size() + 1 - std::min(most, list.size() + 1);
    for (auto oldest = list.begin(); over > 0; ++oldest, --over) (*oldest)->close();
    list.push_back(connection);
  }
  ~Listed() { list.remove(connection); }
};

const char* purpose_word(Purpose purpose) {
  switch (purpose) {
    case Purpose::log: return "log";
    case Purpose::repair: return "repair";
    case Purpose::fetch: return "fetch";
    default: return "seed";
  }
}

}  // namespace

Task<Result<void>> Node::serve_heartbeats(std::unique_ptr<transport::FramedConnection> connection, transport::Hello hello) {
  const Listed open(heartbeats_[hello.from_node], connection.get(), addresses_max);  // a path needs one; older ones are what a peer left behind
  static_cast<void>(co_await serve_path(context_, *connection, std::move(hello)));  // its end is the peer's to tell: it dials
  co_return Result<void>();
}

Task<Result<void>> Node::serve_roles(std::unique_ptr<transport::FramedConnection> connection, std::string peer) {
  const Listed open(role_connections_[peer], connection.get(), role_connections_max);
  co_return co_await roles_.serve(std::move(connection), peer);
}

Task<Result<void>> Node::serve_measuring(std::unique_ptr<transport::FramedConnection> connection, std::string peer) {
  const bool first = measure_turn_.connections() == 0;
  if (first) {
    const Event event{"measurement_served", config_.node, {{"peer", peer}}};
    events_.record(event);
  }
  const Result<void> ended = co_await measuring_.serve(std::move(connection), peer);
  if (!ended.ok() && ended.error().kind != ErrorKind::busy) {
    const Event event{"connection_ended", config_.node, {{"peer", peer}, {"purpose", "measure"}, {"cause", ended.error().message}}};
    events_.record(event);
  }
  co_return Result<void>();  // a peer's end is not this node's error
}

Task<Result<void>> Node::serve(std::unique_ptr<transport::FramedConnection> connection, Hosted& hosted, transport::Hello hello) {
  const std::size_t most = hello.purpose == Purpose::pages ? streams_max : 1;
  if (!hosted.config.has_copy(hello.from_node)) co_return Result<void>();  // forgotten since its welcome
  const Listed listed(hosted.connections[{hello.from_node, static_cast<int>(hello.purpose)}], connection.get(), most);
  const Result<void> ended = co_await serve_purpose(*connection, hosted, hello);
  if (!ended.ok()) tell_end(subject_of(hosted.config, hello.from_node), purpose_word(hello.purpose), ended.error());
  co_return Result<void>();  // a peer's end is not this copy's error
}

Task<Result<void>> Node::serve_pages(std::unique_ptr<transport::FramedConnection> connection, Hosted& hosted, std::string peer) {
  const Listed listed(hosted.connections[{peer, static_cast<int>(Purpose::pages)}], connection.get(), streams_max);
  PassiveSource pages(context_.clock, *hosted.passive);
  const Result<void> ended = co_await seed::serve_seed(*connection, pages, peer, seed_limits(peer, hosted.config.name));
  if (!ended.ok()) tell_end(subject_of(hosted.config, peer), "pages", ended.error());
  co_return Result<void>();
}

void Node::tell_end(const std::string& subject, const char* purpose, const Error& error) {
  const Event event{"connection_ended", subject, {{"purpose", purpose}, {"cause", error.message}}};
  events_.record(event);
}

seed::SeedLimits Node::seed_limits(const std::string& peer, const std::string& database) {
  std::unique_ptr<seed::FairShare>& share = shares_[peer];
  if (!share) share = std::make_unique<seed::FairShare>(executor_, context_.clock);
  seed::SeedLimits limits;
  limits.share = share.get();
  limits.seed = database;
  limits.clock = &context_.clock;
  limits.cpu = &context_.cpu;
  limits.compression = transport::compression_setting(config_.transport.compression);
  limits.rate = config_.transport.seed_bytes_per_second > 0 ? &seed_rate_ : nullptr;
  return limits;
}

Task<Result<void>> Node::serve_purpose(transport::FramedConnection& connection, Hosted& hosted, const transport::Hello& hello) {
  if (hello.purpose == Purpose::repair) {
    PageGiver& giver = hosted.active ? hosted.active->page_giver() : hosted.passive->page_giver();
    co_return co_await serve_repair(context_.clock, connection, giver);
  }
  if (hello.purpose == Purpose::fetch) {
    const std::optional<LogHeld> held = hosted.passive->log_held();
    if (!held) co_return Result<void>();
    co_return co_await serve_log(context_, connection, *held, hello.wanted);
  }
  ActiveCopy& active = *hosted.active;
  if (hello.purpose == Purpose::log) {
    Shipper shipper(active, connection, hello);
    co_return co_await shipper.run();
  }
  ActiveSeed pages(active, hello.purpose == Purpose::pages ? ActiveSeed::Part::joins : ActiveSeed::Part::opens);
  co_return co_await seed::serve_seed(connection, pages, hello.from_node, seed_limits(hello.from_node, hello.database));
}

}  // namespace ccr::engine
