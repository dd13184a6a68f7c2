// Node is one running ccr: it hosts this node's copy of every database, listens for peers, and answers commands.
//
// run() serves until it is stopped, or returns the error that keeps the node from serving at all (an address that cannot be bound). A
// database that cannot be opened is that database's state, not the node's end: it is tried again with growing pauses.
// Lifetime: everything passed in outlives run(). Threads: the executor's only. Bounds: of connections before their welcome, engine/admission.h.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/task_group.h"
#include "engine/admission.h"
#include "engine/control.h"
#include "engine/event_file.h"
#include "engine/event_log.h"
#include "engine/hosted.h"
#include "engine/measure_service.h"
#include "engine/membership.h"
#include "engine/roles.h"
#include "seed/seed_source.h"
#include "storage/fillable_disk.h"
#include "storage/token_bucket.h"
#include "transport/handshake.h"

namespace ccr::engine {

class Node final : public ControlHandler {
 public:
  Node(Executor executor, Clock& clock, storage::Disk& disk, transport::Network& network, Random random, Trace& trace, Config config,
       SourceFactory factory, CpuPool* cpu = nullptr,  // none: on the node's own thread
       Programs* programs = nullptr);                  // none: commands of the user's are not run
  ~Node() override;

  Task<Result<void>> run();
  void spawn(Task<Result<void>> work);  // work that is the node's, whoever asked for it: ends with run()
  Task<Result<nlohmann::json>> handle(ControlRequest request, ControlReply& reply) override;

  const Config& config() const noexcept { return config_; }
  const std::map<std::string, std::unique_ptr<Hosted>>& databases() const noexcept { return databases_; }
  Hosted* find(const std::string& database);
  const transport::HistoryBudget& histories() const noexcept { return histories_; }
  const PathTable& paths() const noexcept { return paths_; }
  Contacts& contacts() noexcept { return contacts_; }
  storage::FillableDisk& fillable_disk() noexcept { return disk_; }
  const PeersTold& peers() const noexcept { return roles_.peers(); }
  std::string_view disk_name() const { return context_.disk.name(); }
  std::optional<transport::OwnCertificate> own_certificate() const { return context_.network.own_certificate(); }
  Trace& events() noexcept { return events_; }
  MeasureTurn& measure_turn() noexcept { return measure_turn_; }
  Roles& roles() noexcept { return roles_; }
  // Bytes per second from each peer to here, as bench link found them last.
  std::map<std::string, double>& measured_links() noexcept { return measured_links_; }
  void look_at_certificate();  // now, and not tomorrow
  void take_lags(const Config& read);  // replay_lag and truncation_lag of a configuration that was read again: in force at once
  // The databases and copies that come and go with it (engine/membership.h): refused, or what take_membership() is given, one at a time. That one
  // completes when copies that went have ended, with their connections, and those that came are begun.
  Task<Result<std::vector<MembershipChange>>> judge_membership(const Config& read);
  Task<Result<void>> take_membership(const Config& read, const std::vector<MembershipChange>& changes);

 private:
  static constexpr std::size_t forgotten_max = 1000;  // then a restart forgets more: each keeps some KiB
  Task<Result<void>> keep(Hosted& hosted);
  Task<Result<void>> host(Hosted& hosted);
  Task<Result<void>> host_life(Hosted& hosted);
  Task<Result<void>> host_once(Hosted& hosted);
  Task<Result<void>> watch_certificate();
  void watch_paths();
  // engine/node_membership.cc
  Hosted& add_hosted(const DatabaseConfig& database);
  Task<MembershipFacts> facts_of(const MembershipChange& change);
  Task<void> forget(Hosted& hosted);
  Task<Result<void>> change_copies(Hosted& hosted, const std::vector<std::string>& copies, const MembershipChange& change);
  Task<Result<void>> listen_later(transport::Endpoint address, TaskGroup& group);
  Task<Result<void>> accept(std::unique_ptr<transport::Listener> listener, TaskGroup& group);
  Task<Result<void>> greet_and_tell(std::unique_ptr<transport::Connection> connection, std::uint64_t number);
  Task<Result<void>> greet(std::unique_ptr<transport::Connection> connection, bool& proven);
  Task<Result<transport::Hello>> receive_hello(transport::FramedConnection& connection);
  static TaskGroup* service_of(const Hosted& hosted, transport::Purpose purpose);  // where its connections are served; null: not now
  Task<Result<transport::HandshakeAnswer>> answer_hello(const transport::Hello& hello, std::string proven_peer);
  Task<Result<void>> serve_heartbeats(std::unique_ptr<transport::FramedConnection> connection, transport::Hello hello);
  Task<Result<void>> serve_roles(std::unique_ptr<transport::FramedConnection> connection, std::string peer);
  Task<Result<void>> serve_measuring(std::unique_ptr<transport::FramedConnection> connection, std::string peer);
  Task<Result<void>> serve(std::unique_ptr<transport::FramedConnection> connection, Hosted& hosted, transport::Hello hello);
  Task<Result<void>> serve_pages(std::unique_ptr<transport::FramedConnection> connection, Hosted& hosted, std::string peer);
  seed::SeedLimits seed_limits(const std::string& peer, const std::string& database);
  void tell_end(const std::string& subject, const char* purpose, const Error& error);
  Task<Result<void>> serve_purpose(transport::FramedConnection& connection, Hosted& hosted, const transport::Hello& hello);

  Executor executor_;
  Random random_;
  Config config_;
  EventLog events_;
  InlineCpuPool own_cpu_;
  transport::HistoryBudget histories_;
  PathTable paths_;
  Pulses pulses_;
  Contacts contacts_;
  storage::FillableDisk disk_;
  NodeContext context_;
  EventFile event_file_;
  SourceFactory factory_;
  std::map<std::string, std::unique_ptr<Hosted>> databases_;
  std::list<std::unique_ptr<Hosted>> forgotten_;  // for who still refers to them: a command that waits, a connection that ends
  Roles roles_;
  Admission admission_;
  std::map<std::uint64_t, transport::Connection*> greetings_;  // connections before their welcome, by their number
  std::map<std::string, std::list<transport::FramedConnection*>> heartbeats_;  // of each peer's paths, the oldest first
  static constexpr std::size_t role_connections_max = 8;
  std::map<std::string, std::list<transport::FramedConnection*>> role_connections_;  // of each peer, the oldest first
  RefusalLog refusals_;
  storage::TokenBucket seed_rate_;
  std::map<std::string, std::unique_ptr<seed::FairShare>> shares_;  // of seeds, by the peer they go to
  MeasureTurn measure_turn_;
  MeasureService measuring_;
  std::map<std::string, double> measured_links_;
  TaskGroup* work_ = nullptr;  // while run() runs
};

}  // namespace ccr::engine
