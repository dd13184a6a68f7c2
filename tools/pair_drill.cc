#include "tools/pair_drill.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/config_file.h"
#include "tools/daemon_call.h"
#include "tools/interrupts.h"
#include "tools/json_fields.h"
#include "tools/pair_text.h"
#include "tools/seed_overview.h"

namespace ccr::tools {

using nlohmann::json;

namespace {

constexpr int between_looks_ms = 20;

Error left_early() { return {ErrorKind::stopped, "interrupted", ""}; }

}  // namespace

PairDrill::PairDrill(const CommonOptions& common, const engine::Config& config, Options options)
    : common_(common), config_(config), options_(std::move(options)), began_(clock_.now()), display_(stderr, stderr_columns()) {
  facts_.kind = options_.kind;
  facts_.database = options_.copy.database;
  facts_.node = options_.copy.node;
  facts_.when = to_rfc3339(clock_.wall_now());
  facts_.pair = PairFacts{};
  pair().wanted_seconds = options_.seconds;
  constexpr double heal_seconds = 6, fork_heal_seconds = 30;  // a fork's old active copy is opened, resumed and compared
  constexpr double full_heal_seconds = 36;  // a copy that failed is tried again after half a minute at most
  pair().healthy_seconds_max = options_.kind == DrillKind::fork ? fork_heal_seconds : options_.kind == DrillKind::disk_full ? full_heal_seconds : heal_seconds;
}

PairDrill::~PairDrill() = default;

double PairDrill::now() const { return seconds_of(clock_.now() - began_); }

Result<json> PairDrill::ask(const std::string& socket, const json& request, Duration silence_max) {
  Result<ControlClient> client = ControlClient::connect(socket);
  if (!client) return client.error();
  ControlClient::Watch watch;
  watch.silence_max = silence_max;
  watch.interrupt = interrupt_;
  return client->call(request, watch);
}

Result<json> PairDrill::ask_own(json request, Duration silence_max) {
  request["database"] = facts_.database;
  return ask(config_.control_socket, request, silence_max);
}

Result<json> PairDrill::ask_peer(json request) {
  request["database"] = facts_.database;
  return ask(peer_socket_, request);
}

// A look that fails meanwhile is the answer's to tell.
Result<json> PairDrill::ask_looking(const std::string& socket, const json& request) {
  Result<ControlClient> client = ControlClient::connect(socket);
  if (!client) return client.error();
  CCR_TRY(client->begin(request));
  for (;;) {
    const Result<std::optional<json>> answer = client->ended();
    if (!answer) return answer.error();
    if (*answer) {
      if (text_field(request, "command") == "move") moved_at_ = now();
      return **answer;
    }
    static_cast<void>(look());
    if (!pause()) return left_early();
  }
}

// The node of the drill has to answer, but while the drill itself keeps it silent; the other one is asked as long as it does.
Result<PairLook> PairDrill::look() {
  json own = nullptr, other = nullptr;
  if (!own_silent_) {
    const Result<json> status = ask_own({{"command", "status"}});
    if (!status) return status.error();
    own = *status;
  }
  if (!peer_socket_.empty()) {
    const Result<json> status = ask_peer({{"command", "status"}});
    if (!status && status.error().kind == ErrorKind::stopped) return status.error();
    if (status) other = *status;
  }
  const PairLook seen = pair_look_of(own, other, facts_.database, facts_.node, now());
  learn(seen);
  return seen;
}

void PairDrill::learn(const PairLook& look) {
  PairFacts& known = pair();
  if (look.commit && (!known.commit_most || *look.commit > *known.commit_most)) {
    if (load_ && advanced_at_ > 0) known.commit_pause_most = std::max(known.commit_pause_most.value_or(0), look.copy.at_seconds - advanced_at_);
    advanced_at_ = load_ ? look.copy.at_seconds : 0;
    known.commit_most = look.commit;
  }
  if (look.copy.at_seconds >= PairFacts::sample_seconds * static_cast<double>(known.samples.size() + 1)) known.samples.push_back(look);
  display_.show({{"phase", phase_}}, clock_.now());
}

bool PairDrill::pause() { return !interrupted_within(interrupt_, between_looks_ms); }

Result<PairLook> PairDrill::until(const Seen& seen, double limit, const std::string& what) {
  const double end = now() + std::min(limit, seconds_of(options_.longest));
  for (;;) {
    const Result<PairLook> present = look();
    if (!present) return present.error();
    if (seen(*present)) return *present;
    if (now() >= end) {
      const std::string state = present->copy.state + (present->copy.cause.empty() ? "" : ": " + present->copy.cause);
      return Error{ErrorKind::timeout, fmt::format("{}: not within {:.0f} s; {}@{} is {}", what, limit, facts_.database, facts_.node, state), "ccr status " + facts_.database};
    }
    if (!pause()) return left_early();
  }
}

Result<void> PairDrill::for_seconds(double seconds) {
  const double end = now() + seconds;
  while (now() < end) {
    const Result<PairLook> present = look();
    if (!present) return present.error();
    if (pair().fault_began && shows_fault(*present)) {
      const double first = pair().noticed ? pair().noticed->copy.at_seconds : present->copy.at_seconds;
      pair().noticed = *present;  // what is shown last says most: contact is lost first, and then not made
      pair().noticed->copy.at_seconds = first;
    }
    if (!pause()) return left_early();
  }
  return {};
}

Result<void> PairDrill::settle() {
  phase_ = "until all is replayed and compared";
  const Result<PairLook> present = look();
  if (!present) return present.error();
  const CommitNumber most = pair().commit_most.value_or(0);
  const Position from = present->copy.generated;
  const auto settled = [&](const PairLook& seen) {
    const bool home = peer_socket_.empty() || seen.serves == facts_.active;
    return home && seen.copy.healthy() && seen.copy.commit.value_or(0) >= most && seen.copy.root_at.known() && seen.copy.root_at >= from;
  };
  const Result<PairLook> seen = until(settled, seconds_of(options_.longest), "all of it replayed and compared");
  return seen ? Result<void>() : seen.error();
}

void PairDrill::find_peer() {
  std::string socket = options_.peer_socket;
  if (socket.empty()) {
    const Result<engine::Config> there = load_config(common_.config_file, facts_.active);
    if (there) socket = there->control_socket;
  }
  if (socket.empty()) return;
  const Result<json> status = ask(socket, {{"command", "status"}, {"database", facts_.database}});
  if (status && text_field(*status, "node") == facts_.active) peer_socket_ = socket;
}

Result<void> PairDrill::check() {
  CCR_TRY(find_copy(config_, facts_.database, facts_.node));
  const engine::DatabaseConfig& database = config_.databases.find(facts_.database)->second;
  facts_.database_kind = engine::name_of(database.kind);
  facts_.generation_bytes = database.generation_bytes;
  const Result<json> status = ask_own({{"command", "status"}});
  if (!status && status.error().kind == ErrorKind::not_found) return Error{ErrorKind::unreachable, status.error().message, "start it: ccr serve --node " + config_.node};
  if (!status) return status.error();
  const std::string here = text_field(*status, "node");
  if (facts_.node != here)
    return Error{ErrorKind::unreachable, "this is node " + here + "; the drill of the copy on " + facts_.node + " is run there", "run it on " + facts_.node + ", or with --node " + facts_.node + " where both run on one host"};
  facts_.active = text_field(list_field(*status, "databases").at(0), "active");
  if (facts_.active == facts_.node) return Error{ErrorKind::refused, facts_.database + "@" + facts_.node + " is the active copy", "name a passive one"};
  find_peer();
  pair().other_asked = !peer_socket_.empty();
  pair().writes = options_.load || options_.kind == DrillKind::fork;
  if (options_.kind == DrillKind::disk_full) {
    pair().full_node = options_.on_active ? facts_.active : facts_.node;
    pair().full_what = options_.full;
  }
  return add_gates();
}

Result<void> PairDrill::add_gates() {
  const Result<PairLook> present = look();
  if (!present) return present.error();
  gate("it is healthy before", present->copy.cause.empty() ? present->copy.state : present->copy.state + ": " + present->copy.cause, present->copy.healthy());
  gate("both nodes had one root", present->copy.root.empty() ? "not known yet" : present->copy.root, !present->copy.root.empty());
  const DrillKind kind = facts_.kind;
  const bool peer_needed = kind == DrillKind::fork || kind == DrillKind::frozen_node || options_.load || options_.on_active;
  if (peer_needed)
    gate("the daemon of " + facts_.active + " can be asked", peer_socket_.empty() ? "it is not on this host: ssh -L brings its control socket here, --peer-socket names it" : peer_socket_, !peer_socket_.empty());
  if (pair().writes) gate("ccr load can write into it", "kind " + facts_.database_kind, facts_.database_kind == "pages");
  if (kind == DrillKind::disk_full && options_.on_active && options_.full == "pages")
    gate("the file of pages is ccr's own", "kind " + facts_.database_kind, facts_.database_kind == "pages");
  if (kind == DrillKind::frozen_node) {
    Result<ControlClient> daemon = ControlClient::connect(config_.control_socket);
    const std::optional<int> process = daemon ? daemon->peer_process() : std::nullopt;
    gate("the daemon's process is known", process ? std::to_string(*process) : "not in this namespace", process.has_value());
    const engine::TransportConfig& transport = config_.transport;
    constexpr double look_seconds = 1;
    pair().notice_seconds_max = seconds_of(transport.silence_max() + transport.heartbeat_interval) + look_seconds;
    gate("it is frozen for longer than heartbeats may miss", fmt::format("{:.1f} s, they are missed for {:.1f} s at most", options_.seconds, pair().notice_seconds_max), options_.seconds > pair().notice_seconds_max);
  }
  if (!peer_socket_.empty()) {
    const Result<json> status = ask_peer({{"command", "status"}});
    if (!status) return status.error();
    page_count_ = count_field(copy_in(*status, facts_.database, facts_.active), "page_count").value_or(0);
    page_size_ = static_cast<std::uint32_t>(count_field(list_field(*status, "databases").at(0), "page_size").value_or(0));
  }
  if (kind == DrillKind::failover || kind == DrillKind::fork) CCR_TRY(add_move_gates());
  return kind == DrillKind::fork ? add_fork_gates() : Result<void>();
}

// Those of the move itself, where the node that makes them can be asked.
Result<void> PairDrill::add_move_gates() {
  if (peer_socket_.empty()) return {};
  const Result<json> plan = ask_peer({{"command", "move"}, {"to", facts_.node}, {"dry_run", true}});
  if (!plan) return plan.error();
  for (const json& check : list_field(*plan, "checks")) gate("a move: " + text_field(check, "check"), text_field(check, "found"), flag_field(check, "ok"));
  return {};
}

// --- load --------------------------------------------------------------------------------------------------------------------

// Among the pages that are there, and a part of them: the database does not grow by a drill, and a difference is not all of it.
std::uint64_t PairDrill::load_pages() const {
  constexpr std::uint64_t most = 4096, part = 4;
  return std::clamp<std::uint64_t>(page_count_ / part, 1, most);
}

Result<void> PairDrill::begin_load(const std::string& socket) {
  Result<ControlClient> client = ControlClient::connect(socket);
  if (!client) return client.error();
  load_.emplace(std::move(*client));
  facts_.writer = "ccr load";
  load_commits_ = 0;
  constexpr double day = 86'400;
  return load_->begin({{"command", "load"}, {"database", facts_.database}, {"rate_bytes_per_second", options_.load_bytes_per_second},
                       {"seconds", std::min(day, seconds_of(options_.longest))}, {"pattern", "oltp"}, {"pages_max", load_pages()}, {"clients", 4}});
}

std::uint64_t PairDrill::end_load() {
  load_.reset();
  advanced_at_ = 0;
  return load_commits_;
}

// --- the whole of it ---------------------------------------------------------------------------------------------------------

std::vector<std::string> PairDrill::plan() const { return pair_plan(facts_, facts_.pair->writes ? options_.load_bytes_per_second : 0); }

bool PairDrill::interrupted() const { return facts_.ended && facts_.ended->kind == ErrorKind::stopped && facts_.ended->message == "interrupted"; }

void PairDrill::run(int interrupt) {
  interrupt_ = interrupt;
  Result<void> played = play();
  end_load();
  interrupt_ = -1;
  const Result<void> restored = undo();
  undone_ = restored.ok();
  const bool for_a_person = !restored.ok() && restored.error().kind == ErrorKind::refused;
  if (guard_ && (undone_ || for_a_person)) guard_->over();
  guard_.reset();
  if (!played.ok()) facts_.ended = played.error();
  if (!restored.ok() && !interrupted()) facts_.ended = restored.error();
  facts_.seconds = now();
  display_.finish();
}

Result<void> PairDrill::play() {
  Result<std::unique_ptr<DrillGuard>> guard = DrillGuard::make();
  if (!guard) return guard.error();
  guard_ = std::move(*guard);
  const Result<PairLook> before = look();
  if (!before) return before.error();
  pair().before = *before;
  facts_.before = before->copy;
  facts_.before->commit = before->commit ? before->commit : before->copy.commit;
  CCR_TRY(note_events());
  switch (facts_.kind) {
    case DrillKind::outage: CCR_TRY(outage()); break;
    case DrillKind::frozen_node: CCR_TRY(frozen_node()); break;
    case DrillKind::disk_full: CCR_TRY(disk_full()); break;
    case DrillKind::failover: CCR_TRY(failover()); break;
    default: CCR_TRY(fork()); break;
  }
  CCR_TRY(note_events());
  const Result<PairLook> after = look();
  if (!after) return after.error();
  pair().after = *after;
  facts_.after = after->copy;
  if (pair().before->log_bytes && after->log_bytes) pair().log_came = *after->log_bytes - std::min(*after->log_bytes, *pair().before->log_bytes);
  if (pair().before->wire_bytes && after->wire_bytes) pair().wire_came = *after->wire_bytes - std::min(*after->wire_bytes, *pair().before->wire_bytes);
  return {};
}

ReturnPlan PairDrill::way_home() const {
  ReturnPlan plan;
  plan.database = facts_.database;
  plan.home = facts_.active;
  plan.away = facts_.node;
  plan.home_socket = peer_socket_;
  plan.away_socket = config_.control_socket;
  plan.parted = parted_;
  plan.forked_end = forked_end_;
  return plan;
}

Result<json> PairDrill::bring_home(Duration longest) {
  ReturnOptions options;
  options.longest = longest;
  options.between = [this] {
    static_cast<void>(look());
    return pause();
  };
  options.ask = [this](const std::string& socket, const json& request) {
    if (text_field(request, "command") == "move") note_fork();
    return ask_looking(socket, request);
  };
  return go_home(way_home(), options);
}

// Nothing is left to do where the drill came to its end.
Result<void> PairDrill::undo() {
  if (guard_) CCR_TRY(guard_->thaw());
  own_silent_ = false;
  if (moved_) {
    const Result<json> home = bring_home(std::min(options_.longest, undo_max));
    if (!home) return home.error();
  } else if (parted_) {
    const Result<json> joined = ask_own({{"command", "drill"}, {"step", "join"}, {"node", facts_.node}, {"peer", facts_.active}});
    if (!joined) return joined.error();
  }
  if (filled_) {
    const Result<json> emptied = ask(full_socket(), {{"command", "drill"}, {"step", "empty"}, {"database", facts_.database}, {"node", pair().full_node}});
    if (!emptied) return emptied.error();
  }
  parted_ = moved_ = filled_ = false;
  return {};
}

// The first time what was last; the second time what came since.
Result<void> PairDrill::note_events() {
  const auto read = [this](const std::string& socket, std::uint64_t& before, bool of_copy) -> Result<void> {
    Result<ControlClient> client = ControlClient::connect(socket);
    if (!client) return client.error();
    ControlClient::Watch watch;
    std::uint64_t last = before;
    watch.on_event = [&](const json& event) {
      const std::uint64_t number = count_field(event, "number").value_or(0);
      last = std::max(last, number);
      if (before == 0 || number <= before) return;
      const std::string name = text_field(event, "event");
      if (of_copy && name == "seed_pass_opened") ++pair().seed_passes;
      if (of_copy || !pair().fork) return;
      if (name == "seed_pass_opened") pair().fork->compared = true;
      if (name == "generations_set_aside") {
        pair().fork->set_aside_from = position_of_text(text_field(event, "from"));
        pair().fork->set_aside_to = position_of_text(text_field(event, "to"));
      }
    };
    const Result<json> told = client->call({{"command", "events"}, {"database", facts_.database}, {"node", of_copy ? facts_.node : facts_.active}}, watch);
    if (!told) return told.error();
    before = std::max(last, std::uint64_t{1});
    return {};
  };
  CCR_TRY(read(config_.control_socket, event_before_, true));
  return peer_socket_.empty() ? Result<void>() : read(peer_socket_, peer_event_before_, false);
}

}  // namespace ccr::tools
