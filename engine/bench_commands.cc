#include "engine/bench_commands.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/watched.h"

namespace ccr::engine {

using nlohmann::json;

namespace {

constexpr double ship_seconds_min = 5;  // each of its parts would be too short
constexpr double tune_seconds_min = 5;
constexpr std::uint32_t ship_clients = 64, ship_transaction_pages = 16;
constexpr Duration progress_every = std::chrono::milliseconds(500);

// A place in the node's turn while a measurement of its own runs.
class OwnTurn {
 public:
  OwnTurn(MeasureTurn& turn, const std::string& node, std::uint64_t run) : turn_(turn), joined_(turn.join(node, run)) {}
  ~OwnTurn() {
    if (joined_.ok()) turn_.leave();
  }
  OwnTurn(const OwnTurn&) = delete;
  OwnTurn& operator=(const OwnTurn&) = delete;
  const Result<void>& joined() const noexcept { return joined_; }

 private:
  MeasureTurn& turn_;
  Result<void> joined_;
};

Task<Result<void>> settle_work(Task<Result<json>> work, std::optional<Result<json>>& outcome, TaskGroup& group) {
  outcome = co_await std::move(work);
  group.stop();
  co_return Result<void>();
}

Task<Result<void>> tell_progress(Clock& clock, const MeasureProgress& progress, Instant end, ControlReply& reply) {
  for (;;) {
    const double seconds = std::chrono::duration<double>(clock.now() - progress.begun).count();
    json fields{{"phase", progress.phase},
                {"rate", nullptr},
                {"eta_seconds", std::max(0.0, std::chrono::duration<double>(end - clock.now()).count())}};
    if (progress.bytes > 0 && seconds > 0) fields["rate"] = static_cast<double>(progress.bytes) / seconds;
    CCR_CO_TRY(co_await reply.progress(std::move(fields)));
    co_await clock.sleep(progress_every);
  }
}

template <class Measurement, class Text>
Task<Result<json>> told(Measurement& measurement, Text text) {
  auto report = co_await measurement.run();
  if (!report.ok()) co_return report.error();
  co_return text(*report);
}

}  // namespace

template <class Request, class Make, class Text>
Task<Result<json>> BenchCommands::measured(Request request, Make make, Text text, ControlReply& reply) {
  const std::uint64_t run = context_.random.next();
  const OwnTurn turn(node_.measure_turn(), context_.config.node, run);
  if (!turn.joined().ok()) co_return turn.joined().error();
  const MeasuredBy by = measured_by(request.peer);
  MeasureProgress progress;
  const Instant end = end_of(request.seconds);
  auto measurement = make(std::move(request), run, progress);
  auto as_json = [&by, &text](const auto& report) { return text(by, report); };
  Task<Result<json>> work = told(measurement, as_json);
  co_return co_await watched(std::move(work), progress, end, reply);
}

// A measurement that needs nothing but its request.
template <class Measurement, class Request, class Text>
Task<Result<json>> BenchCommands::measured_as(Request request, Text text, ControlReply& reply) {
  auto make = [this](Request wanted, std::uint64_t run, MeasureProgress& progress) {
    return Measurement(context_, std::move(wanted), run, progress);
  };
  return measured(std::move(request), std::move(make), std::move(text), reply);
}

Task<Result<json>> BenchCommands::bench(const ControlRequest& request, ControlReply& reply) {
  const Result<std::string> kind = request.text("kind");
  if (!kind.ok()) co_return kind.error();
  if (*kind == "link") {
    Result<LinkRequest> wanted = link_request(request);
    if (!wanted.ok()) co_return wanted.error();
    co_return co_await link(std::move(*wanted), reply);
  }
  if (*kind == "log") {
    Result<DiskRequest> wanted = disk_request(request);
    if (!wanted.ok()) co_return wanted.error();
    co_return co_await measured_as<DiskMeasurement>(std::move(*wanted), &disk_json, reply);
  }
  if (*kind == "ship") {
    Result<ShipRequest> wanted = ship_request(request);
    if (!wanted.ok()) co_return wanted.error();
    const Result<Hosted*> hosted = shipping_database(request, wanted->peer);
    if (!hosted.ok()) co_return hosted.error();
    co_return co_await ship(**hosted, std::move(*wanted), reply);
  }
  if (*kind == "seed") {
    Result<SeedBenchRequest> wanted = seed_request(request);
    if (!wanted.ok()) co_return wanted.error();
    co_return co_await measured_as<SeedMeasurement>(std::move(*wanted), &seed_json, reply);
  }
  co_return Error{ErrorKind::usage, "no bench is called '" + *kind + "'", "link, log, ship or seed"};
}

Result<std::string> BenchCommands::peer_of(const ControlRequest& request) const {
  const Result<std::string> peer = request.text("peer");
  if (!peer.ok()) return peer.error();
  const Config& config = context_.config;
  std::vector<std::string> others;
  for (const auto& [name, node] : config.nodes) {
    if (name != config.node) others.push_back(name);
  }
  const std::string example = others.empty() ? "this node is the only one of its cluster" : "such as --peer " + others.front();
  if (peer->empty()) return Error{ErrorKind::usage, "no peer is named", example};
  if (*peer == config.node) return Error{ErrorKind::usage, "this is node " + config.node + ": the peer is another one", example};
  if (config.nodes.contains(*peer)) return *peer;
  const std::optional<std::string> near = did_you_mean(*peer, others);
  return Error{ErrorKind::not_found, "the configuration has no node '" + *peer + "'",
               near ? "did you mean '" + *near + "'?" : example};
}

Result<double> BenchCommands::seconds_of(const ControlRequest& request, double fallback) const {
  const Result<double> seconds = request.number("seconds", fallback);
  if (!seconds.ok()) return seconds.error();
  if (*seconds < measure_seconds_min || *seconds > measure_seconds_max)
    return Error{ErrorKind::usage,
                 fmt::format("a measurement takes {:g} to {:g} s, not {:g}", measure_seconds_min, measure_seconds_max, *seconds),
                 "it takes what copying would have: ccr load has no such limit"};
  return *seconds;
}

Result<LinkRequest> BenchCommands::link_request(const ControlRequest& request) const {
  LinkRequest wanted;
  const Result<std::string> peer = peer_of(request);
  const Result<double> seconds = seconds_of(request, wanted.seconds);
  const Result<std::uint64_t> streams = request.count("streams", 0), bytes = request.count("bytes", 0),
                              window = request.count("window", 0);
  const Result<std::string> congestion = request.text("congestion");
  if (!peer.ok()) return peer.error();
  if (!seconds.ok()) return seconds.error();
  if (!congestion.ok()) return congestion.error();
  for (const Result<std::uint64_t>* number : {&streams, &bytes, &window})
    if (!number->ok()) return number->error();
  if (*streams > LinkMeasurement::streams_max)
    return Error{ErrorKind::usage, fmt::format("expected 1 to {} streams, found {}", LinkMeasurement::streams_max, *streams), ""};
  if (*window > transport::measure_window_max) return Error{ErrorKind::usage, "a window is at most 64 MiB", ""};
  wanted.peer = *peer;
  wanted.seconds = *seconds;
  if (*streams > 0) wanted.streams = *streams == 1 ? std::vector<int>{1} : std::vector<int>{1, static_cast<int>(*streams)};
  wanted.bytes_max = *bytes;
  wanted.wish.window = *window;
  const std::optional<transport::MeasureCongestion> named = congestion_of(*congestion);
  if (!named) return Error{ErrorKind::usage, "a measurement tries cubic, bbr or reno, not '" + *congestion + "'", ""};
  wanted.wish.congestion = *named;
  return wanted;
}

Result<DiskRequest> BenchCommands::disk_request(const ControlRequest& request) const {
  DiskRequest wanted;
  const Result<double> seconds = seconds_of(request, wanted.seconds);
  if (!seconds.ok()) return seconds.error();
  wanted.seconds = *seconds;
  if (request.has("peer")) {
    const Result<std::string> peer = peer_of(request);
    if (!peer.ok()) return peer.error();
    wanted.peer = *peer;
  }
  if (!request.database().empty()) {
    CCR_TRY(known_database(request.database()));
    wanted.database = request.database();
  } else if (node_.databases().size() == 1) {
    wanted.database = node_.databases().begin()->first;
  }
  return wanted;
}

Result<ShipRequest> BenchCommands::ship_request(const ControlRequest& request) const {
  ShipRequest wanted;
  const Result<std::string> peer = peer_of(request);
  if (!peer.ok()) return peer.error();
  const Result<double> seconds = seconds_of(request, wanted.seconds);
  if (!seconds.ok()) return seconds.error();
  if (*seconds < ship_seconds_min)
    return Error{ErrorKind::usage,
                 fmt::format("the whole pipe takes {:g} to {:g} s, not {:g}", ship_seconds_min, measure_seconds_max, *seconds), ""};
  Result<LoadOptions> load = load_options(request);
  if (!load.ok()) return load.error();
  wanted.peer = *peer;
  wanted.seconds = *seconds;
  wanted.load = *load;
  if (!request.has("pattern")) wanted.load.pattern = LoadPattern::random;
  if (!request.has("clients")) wanted.load.clients = ship_clients;
  if (!request.has("transaction_pages")) wanted.load.transaction_pages = ship_transaction_pages;
  return wanted;
}

Result<SeedBenchRequest> BenchCommands::seed_request(const ControlRequest& request) const {
  SeedBenchRequest wanted;
  const Result<std::string> peer = peer_of(request);
  const Result<double> seconds = seconds_of(request, wanted.seconds);
  const Result<std::uint64_t> bytes = request.count("bytes", 0), databases = request.count("databases", 1);
  if (!peer.ok()) return peer.error();
  if (!seconds.ok()) return seconds.error();
  for (const Result<std::uint64_t>* number : {&bytes, &databases})
    if (!number->ok()) return number->error();
  if (*databases < 1 || *databases > SeedMeasurement::databases_max)
    return Error{ErrorKind::usage, fmt::format("expected 1 to {} databases, found {}", SeedMeasurement::databases_max, *databases), ""};
  if (*bytes > SeedProbe::probe_bytes_max / *databases)
    return Error{ErrorKind::usage, "a measurement seeds at most 8 GiB in all", "ccr drill reseed measures a database as it is"};
  if (!request.database().empty()) {
    CCR_TRY(known_database(request.database()));
    wanted.database = request.database();
  }
  wanted.peer = *peer;
  wanted.seconds = *seconds;
  wanted.bytes = *bytes;
  wanted.databases = static_cast<int>(*databases);
  return wanted;
}

Result<void> BenchCommands::known_database(const std::string& name) const {
  if (node_.databases().contains(name)) return {};
  std::vector<std::string> names;
  for (const auto& [each, hosted] : node_.databases()) names.push_back(each);
  const std::optional<std::string> near = did_you_mean(name, names);
  return Error{ErrorKind::not_found, "node " + context_.config.node + " has no database '" + name + "'",
               near ? "did you mean '" + *near + "'?" : "ccr status shows what it has"};
}

// A page store that is active here and has a copy on the peer, which has nothing to catch up.
Result<Hosted*> BenchCommands::shipping_database(const ControlRequest& request, const std::string& peer) const {
  std::string name = request.database();
  if (name.empty()) {
    std::vector<std::string> stores;
    for (const auto& [each, hosted] : node_.databases()) {
      if (hosted->config.kind == DatabaseKind::pages && hosted->is_active_here) stores.push_back(each);
    }
    if (stores.empty())
      return Error{ErrorKind::refused, "no database of kind \"pages\" is active on " + context_.config.node,
                   "the load is written into one: add it to the configuration of both nodes, or run this where it is active"};
    if (stores.size() > 1)
      return Error{ErrorKind::usage, "which of the page stores?", "ccr bench ship " + stores.front() + " --peer " + peer};
    name = stores.front();
  }
  CCR_TRY(known_database(name));
  Hosted& hosted = *node_.find(name);
  const std::vector<std::string>& copies = hosted.config.copies;
  if (hosted.config.kind != DatabaseKind::pages)
    return Error{ErrorKind::refused, name + " is an SQLite database: only its own programs write it",
                 "name a database of kind = \"pages\""};
  if (!hosted.is_active_here)
    return Error{ErrorKind::unreachable, "the active copy of " + name + " is on " + copies.front(), "run it there"};
  if (!hosted.config.has_copy(peer))
    return Error{ErrorKind::usage, name + " has no copy on " + peer, "ccr status " + name + " shows its copies"};
  if (!hosted.active || !hosted.active->ready())
    return Error{ErrorKind::busy,
                 subject_of(hosted.config, context_.config.node) + " is " + std::string(name_of(hosted.standing->state())) + ": " +
                     hosted.standing->cause(),
                 hosted.standing->hint()};
  const CopyFacts& copy = hosted.copies->of(peer);
  if (!copy.connected || copy.watermarks.state != name_of(State::healthy))
    return Error{ErrorKind::refused,
                 subject_of(hosted.config, peer) + " is " + (copy.connected ? copy.watermarks.state : "not connected") +
                     ", and a commit would not become durable there",
                 "ccr wait " + subject_of(hosted.config, peer) + " --for healthy"};
  return &hosted;
}

MeasuredBy BenchCommands::measured_by(const std::string& peer) const {
  return {context_.config.node, peer, context_.clock.wall_now(), std::string(context_.disk.name())};
}

Task<Result<json>> BenchCommands::watched(Task<Result<json>> work, const MeasureProgress& progress, Instant end,
                                          ControlReply& reply) {
  std::optional<Result<json>> outcome;
  TaskGroup group(context_.executor);
  group.spawn(settle_work(std::move(work), outcome, group));
  group.spawn(tell_progress(context_.clock, progress, end, reply));
  CCR_CO_TRY(co_await group.join());
  CCR_ASSERT(outcome.has_value());
  co_return std::move(*outcome);
}

Instant BenchCommands::end_of(double seconds) const {
  return context_.clock.now() + duration_of(seconds);
}

Task<Result<json>> BenchCommands::link(LinkRequest request, ControlReply& reply) {
  auto text = [this](const MeasuredBy& by, const LinkReport& report) {
    const LinkRun* best = report.best(Direction::from_peer);
    if (best != nullptr && best->bytes_per_second > 0) node_.measured_links()[by.peer] = static_cast<double>(best->bytes_per_second);
    return link_json(by, report);
  };
  return measured_as<LinkMeasurement>(std::move(request), std::move(text), reply);
}

Task<Result<json>> BenchCommands::ship(Hosted& hosted, ShipRequest request, ControlReply& reply) {
  auto make = [this, &hosted](ShipRequest wanted, std::uint64_t run, MeasureProgress& progress) {
    return ShipMeasurement(context_, hosted, std::move(wanted), run, progress);
  };
  auto text = [&hosted](const MeasuredBy& by, const ShipReport& report) { return ship_json(by, hosted.config.name, report); };
  return measured(std::move(request), std::move(make), std::move(text), reply);
}

Task<Result<json>> BenchCommands::tune(const ControlRequest& request, ControlReply& reply) {
  TuneRequest wanted;
  const Result<std::string> peer = peer_of(request);
  const Result<double> seconds = seconds_of(request, wanted.seconds), head_room = request.number("head_room", wanted.head_room);
  if (!peer.ok()) co_return peer.error();
  if (!seconds.ok()) co_return seconds.error();
  if (!head_room.ok()) co_return head_room.error();
  if (*seconds < tune_seconds_min)
    co_return Error{
        ErrorKind::usage,
        fmt::format("measuring before and after takes {:g} to {:g} s, not {:g}", tune_seconds_min, measure_seconds_max, *seconds),
        ""};
  if (*head_room < 1 || *head_room > 16) co_return Error{ErrorKind::usage, "the head room of a window is 1 to 16", ""};
  wanted.peer = *peer;
  wanted.seconds = *seconds;
  wanted.head_room = *head_room;
  co_return co_await measured_as<TuneMeasurement>(std::move(wanted), &tune_json, reply);
}

}  // namespace ccr::engine
