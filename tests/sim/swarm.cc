#include "tests/sim/swarm.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "tests/sim/swarm_audit.h"

namespace ccr::sim {

using namespace std::chrono_literals;

void SwarmCounts::add(const SwarmCounts& other) {
  for (std::size_t i = 0; i < faults.size(); ++i) faults[i] += other.faults[i];
  for (const auto& [what, count] : other.happened) happened[what] += count;
  events += other.events;
  virtual_seconds += other.virtual_seconds;
}

std::string SwarmCounts::text() const {
  std::string text = std::to_string(virtual_seconds / 3600) + " virtual hours, " + std::to_string(events) + " events";
  for (const auto& [what, count] : happened) text += ", " + std::to_string(count) + " " + what;
  for (std::size_t i = 0; i < faults.size(); ++i)
    if (faults[i] > 0) text += ", " + std::to_string(faults[i]) + " " + name_of(static_cast<Fault>(i));
  return text;
}

Swarm::Swarm(std::uint64_t seed)
    : world_(seed),
      options_(draw_options(world_.random("swarm options"))),
      cluster_(world_, options_.cluster),
      random_(world_.random("swarm")),
      content_(world_.random("content")) {
  cluster_.on_event = [this](const std::string& node, const Event& event) { hear(node, event); };
}

SwarmReport Swarm::run() {
  live();
  SwarmReport report;
  report.wrong = wrong_;
  report.hash = world_.trace_hash();
  for (std::size_t i = 0; i < counts_.faults.size(); ++i) counts_.faults[i] = world_.fired(static_cast<Fault>(i));
  counts_.happened["commits"] = cluster_.acknowledged();
  counts_.events = world_.events();
  counts_.virtual_seconds = std::chrono::duration<double>(world_.now() - WorldOptions{}.start).count();
  report.counts = counts_;
  report.options = to_text(options_);
  report.story = cluster_.story();
  return report;
}

bool Swarm::live() {
  cluster_.start_all();
  cluster_.network().start_weather();
  safety();
  heal();
  if (!wait_until_whole(liveness_limit, "after healing")) return false;
  if (!night()) return false;
  const std::string whole_at = standing();
  std::string active = cluster_.active_node();
  for (const std::string& name : cluster_.names()) cluster_.host(name).stop();
  cluster_.remark("restart of " + whole_at);
  cluster_.start_all();
  if (!wait_until_whole(liveness_limit, "after the restart")) return false;
  if (cluster_.active_node() != active) fail("the active copy went from " + active + " to " + cluster_.active_node() + " in a restart");
  for (const std::string& name : cluster_.names()) {
    if (cluster_.host(name).stop() != Ended::reached) fail(name + " does not stop");
  }
  if (!wrong_.empty()) return false;
  const Result<void> audited = audit(world_, cluster_, active);
  if (!audited.ok()) fail("audit: " + audited.error().message);
  return wrong_.empty();
}

void Swarm::safety() {
  const Instant end = world_.now() + options_.safety;
  Instant next_commit = world_.now() + 100ms, next_trouble = world_.now() + 1s;
  if (random_.chance(2, 3)) {
    // Most seeds begin with a seed, so that there is something to trouble.
    for (const std::string& name : cluster_.names())
      if (name != cluster_.names().front()) world_.after(up_to(3s), "swarm.seed", [this, name] { ask_seed(name, false); });
  }
  while (world_.now() < end && wrong_.empty()) {
    const Instant next = std::min(next_commit, next_trouble);
    if (next > world_.now()) run_for(next - world_.now());
    if (next_commit <= world_.now()) {
      write();
      next_commit = world_.now() + up_to(options_.commit_pause_max);
    }
    if (next_trouble <= world_.now()) {
      trouble();
      next_trouble = world_.now() + up_to(options_.trouble_pause_max);
    }
    start_what_ended();
  }
}

// --- the workload ----------------------------------------------------------------------------------------------------------

void Swarm::write() {
  const bool burst = random_.chance(1, 20);
  const bool large = options_.large_commits && random_.chance(1, 50);
  for (std::uint64_t left = burst ? random_.between(2, 30) : 1; left > 0; --left) {
    std::set<PageNumber> pages;
    const std::uint64_t count = large ? random_.between(100, 800) : random_.between(1, 8);
    for (std::uint64_t i = 0; i < count; ++i) pages.insert(static_cast<PageNumber>(random_.between(1, options_.pages_max)));
    if (!cluster_.commit(content_, {pages.begin(), pages.end()})) return;
    if (large) break;
  }
}

bool Swarm::can_ask(const std::string& name) {
  engine::PassiveCopy* copy = cluster_.passive(name);
  return copy != nullptr && copy->opened() && !cluster_.host(name).frozen();
}

void Swarm::ask_seed(const std::string& name, bool full) {
  if (!can_ask(name)) return;
  cluster_.remark((full ? "seed --full " : "seed ") + name);
  seen_[name].suspended = seen_[name].failed = false;
  engine::SeedRequest request;
  request.full = full;
  const bool elsewhere = options_.other_sources && random_.chance(1, 2);
  if (elsewhere) request.from = std::string(random_.chance(1, 2) ? "" : "alpha,") + (name == "beta" ? "gamma" : "beta");
  cluster_.request_seed(name, request);
  happened(elsewhere ? "seed requests from other copies" : "seed requests");
}

void Swarm::ask_resume(const std::string& name) {
  if (!can_ask(name)) return;
  cluster_.remark("resume " + name);
  seen_[name].suspended = seen_[name].failed = false;
  cluster_.request_resume(name);
  happened("resumes");
}

std::string Swarm::any_passive() {
  std::vector<std::string> passive = cluster_.names();
  std::erase(passive, cluster_.active_node());
  return passive[random_.below(passive.size())];
}

// Only such as lose nothing: what was acknowledged is held against every copy at the end.
void Swarm::ask_handover(const std::string& name) {
  const std::string active = cluster_.active_node();
  const bool moves = random_.chance(3, 4);
  const std::string asked = !moves || random_.chance(1, 4) ? name : active;
  if (cluster_.node(asked) == nullptr || cluster_.host(asked).frozen()) return;
  cluster_.remark((moves ? "move to " : "activate on ") + name + ", asked of " + asked);
  const std::string command = moves ? R"({"command":"move","to":")" + name : R"({"command":"activate","dial":"lossless","on":")" + name;
  cluster_.request(asked, command + R"(","database":")" + Cluster::database + R"("})");
  happened(moves ? "moves asked" : "activations asked");
  if (random_.chance(1, 2)) trouble_handover(random_.chance(1, 2) ? name : active);
}

// A disk of one of the two fails in the middle; where errors come by chance, at one operation of it.
void Swarm::trouble_handover(const std::string& at) {
  constexpr std::uint64_t operations_max = 20;
  constexpr Duration begin_max = 40ms;  // most are over soon
  if (options_.disk_errors && random_.chance(2, 3)) {
    const DiskAction actions[] = {DiskAction::read, DiskAction::write, DiskAction::sync};
    DiskPlan plan;
    plan.action = actions[random_.below(std::size(actions))];
    plan.skip = random_.below(operations_max);
    if (plan.action == DiskAction::read) plan.skip /= 10;  // there are few
    cluster_.host(at).disk().plan(plan);
    return;
  }
  world_.after(up_to(begin_max), "swarm.handover_trouble", [this, at] {
    if (!healing_) disk_trouble(at);
  });
}

// The active node dies at a moment at which this copy has all that was acknowledged. It stays down until the other one serves: what it would
// acknowledge meanwhile would rightly be lost.
void Swarm::force(const std::string& name) {
  engine::ActiveCopy* active = cluster_.active();
  engine::PassiveCopy* copy = cluster_.passive(name);
  if (active == nullptr || !can_ask(name) || cluster_.state(name) != "healthy" || cluster_.pending() > 0) return;
  if (copy->watermarks().inspected != active->tip().durable) return;
  const std::string before = cluster_.active_node();
  cluster_.remark("activate on " + name + " by force, as " + before + " dies");
  const bool power = options_.power_cuts && random_.chance(1, 2);
  cluster_.host(before).kill(power ? draw_power_cut(random_) : CrashStyle{Damage::process_only, Ordering::ordered});
  forced_ = true;
  cluster_.request(name, R"({"command":"activate","dial":"force","on":")" + name + R"(","database":")" + Cluster::database + R"("})");
  const auto serves = [this, &name] {
    observe();
    return !wrong_.empty() || cluster_.active(name) != nullptr;
  };
  if (world_.run_until(serves, 60s) == Ended::reached) happened("forced activations");
  start_later(before);
}

void Swarm::operate() {
  const std::string name = any_passive();
  if (options_.forces && random_.chance(1, 3)) return force(name);
  switch (random_.below(options_.handovers ? 6 : 4)) {
    case 4:
    case 5: return ask_handover(name);
    case 0:
      if (!options_.suspensions || !can_ask(name)) return;
      cluster_.remark("suspend " + name);
      cluster_.request_suspend(name);
      happened("suspensions");
      return;
    case 1: return ask_resume(name);
    case 2:
      if (options_.seeds) ask_seed(name, false);
      return;
    case 3:
      if (options_.full_seeds) ask_seed(name, true);
      return;
  }
}

// --- troubles --------------------------------------------------------------------------------------------------------------

void Swarm::trouble() {
  switch (random_.below(4)) {
    case 0: return node_trouble(any_node());
    case 1: return network_trouble();
    case 2: return disk_trouble(any_node());
    case 3: return operate();
  }
}

void Swarm::start_later(const std::string& name) {
  const auto start = [this, name] {
    if (!healing_ && !cluster_.host(name).alive()) cluster_.host(name).start();  // healing starts what is down
  };
  world_.after(up_to(down_max), "swarm.start", start);
}

// A daemon that ended by itself, because it could not even listen, say, is started again by its service manager.
void Swarm::start_what_ended() {
  for (const std::string& name : cluster_.names()) {
    const NodeHost& host = cluster_.host(name);
    const bool ended = !host.alive() && host.outcome() && !host.outcome()->ok();
    if (!ended || std::exchange(ended_life_[name], host.lives()) == host.lives()) continue;
    cluster_.remark(name + " ended: " + host.outcome()->error().message);
    happened("daemons that ended by themselves");
    start_later(name);
  }
}

void Swarm::node_trouble(const std::string& name) {
  NodeHost& host = cluster_.host(name);
  if (options_.swaps && random_.chance(1, 8)) return swap_disks(name, any_node());
  switch (random_.below(options_.restores ? 8 : 5)) {
    case 5:
    case 6:
    case 7: return go_back(name);
    case 0:
      if (!options_.process_kills || !host.alive()) return;
      cluster_.remark("kill " + name);
      host.kill({Damage::process_only, Ordering::ordered});
      return start_later(name);
    case 1:
      if (!options_.power_cuts || !host.alive()) return;
      cluster_.remark("power cut at " + name);
      host.kill(draw_power_cut(random_));
      world_.count(Fault::power_cut, host.host());
      return start_later(name);
    case 2:
      if (!options_.freezes || !host.alive()) return;
      cluster_.remark("freeze " + name);
      host.freeze();
      world_.after(up_to(frozen_max), "swarm.thaw", [&host] { host.thaw(); });
      return;
    case 3: {
      if (!options_.wall_jumps) return;
      const Duration by = up_to(48h) - Duration(24h);
      host.jump_wall(by);
      return;
    }
    case 4:
      if (!host.alive()) return;
      cluster_.remark("stop " + name);
      host.ask_to_stop();
      happened("stops");
      return start_later(name);
  }
}

void Swarm::network_trouble() {
  SimNetwork& network = cluster_.network();
  const HostId alpha = cluster_.host(cluster_.active_node()).host();
  const HostId other = cluster_.host(any_passive()).host();
  switch (random_.below(options_.path_losses ? 6 : 4)) {
    case 0:
      if (options_.cuts) network.cut(alpha, other);
      return;
    case 1:
      if (options_.half_opens) network.half_open(alpha, other);
      return;
    case 2:
      if (options_.link_stalls) network.stall(random_.chance(1, 2) ? alpha : other, random_.chance(1, 2) ? other : alpha, up_to(10s));
      return;
    case 4:
    case 5: return lose_path();
    case 3:
      if (!options_.partitions) return;
      const bool there = random_.chance(2, 3);
      const HostId from = there ? alpha : other, to = there ? other : alpha;
      network.block(from, to);
      world_.after(up_to(12s), "swarm.unblock", [&network, from, to] { network.unblock(from, to); });
      return;
  }
}

void Swarm::lose_path() {
  const auto& names = cluster_.names();
  const auto at = static_cast<std::size_t>(std::find(names.begin(), names.end(), cluster_.active_node()) - names.begin());
  const std::string address = Cluster::address(at, static_cast<int>(random_.below(2)));
  cluster_.remark(address + " is lost");
  cluster_.network().lose(address);
  happened("path losses");
  world_.after(up_to(20s), "swarm.restore", [this, address] { cluster_.network().restore(address); });
}

void Swarm::disk_trouble(const std::string& name) {
  NodeHost& host = cluster_.host(name);
  SimDisk& disk = host.disk();
  if (options_.disk_stalls && random_.chance(1, 2)) {
    disk.stall(up_to(3s));
    return;
  }
  if (options_.read_only && random_.chance(1, 3)) {
    cluster_.remark("disk of " + name + " turns read-only");
    disk.options().read_only = true;
    world_.after(up_to(shortage_max), "swarm.writable", [&disk] { disk.options().read_only = false; });
    return;
  }
  if (options_.no_descriptors && random_.chance(1, 2)) {
    cluster_.remark(name + " has no descriptors left");
    host.limit_descriptors(true);
    world_.after(up_to(shortage_max), "swarm.descriptors", [&host] { host.limit_descriptors(false); });
    return;
  }
  if (!options_.disk_full) return;
  cluster_.remark("disk of " + name + " fills");
  disk.options().capacity_bytes = disk.state().used_bytes() + random_.below(512 * KiB);
  const std::uint64_t capacity = options_.cluster.disk.capacity_bytes;
  world_.after(up_to(shortage_max), "swarm.room", [&disk, capacity] { disk.options().capacity_bytes = capacity; });
}

// --- healing and liveness --------------------------------------------------------------------------------------------------

void Swarm::heal() {
  cluster_.remark("healing");
  healing_ = true;
  swap_back();
  SimNetwork& network = cluster_.network();
  network.stop_weather();
  network.heal_all();
  network.options().cut_ppm = network.options().stall_ppm = network.options().loss_ppm = network.options().bit_flip_ppm = 0;
  for (const std::string& name : cluster_.names()) {
    NodeHost& host = cluster_.host(name);
    DiskOptions& disk = host.disk().options();
    disk = DiskOptions{};
    host.disk().clear_plans();
    host.limit_descriptors(false);
    host.thaw();
    if (!host.alive()) host.start();
  }
}

// What a person would do who looks at the status now and then.
void Swarm::nurse() {
  for (const std::string& name : cluster_.names()) {
    NodeHost& host = cluster_.host(name);
    if (!host.alive()) host.start();  // a polite stop that was under way has ended
    if (name == cluster_.active_node()) continue;
    const std::string state = cluster_.state(name);
    if (state == "suspended") ask_resume(name);
    if (state == "failed_and_suspended" || state == "needs_seed") ask_seed(name, false);
  }
}

bool Swarm::whole() {
  engine::ActiveCopy* active = cluster_.active();
  if (active == nullptr || cluster_.pending() > 0 || active->replayed() != active->tip().durable) return false;
  for (const std::string& name : cluster_.names()) {
    if (name == cluster_.active_node()) continue;
    engine::PassiveCopy* copy = cluster_.passive(name);
    if (copy == nullptr || cluster_.state(name) != "healthy") return false;
    const storage::CopyState& state = copy->state();
    if (!state.seeded || state.min_required != active->tip().durable || state.root_equal_at != active->tip().durable) return false;
  }
  return true;
}

bool Swarm::wait_until_whole(Duration limit, const std::string& what) {
  const Instant end = world_.now() + limit;
  while (wrong_.empty() && world_.now() < end) {
    nurse();
    const auto done = [this] {
      observe();
      return !wrong_.empty() || whole();
    };
    if (world_.run_until(done, 2s) == Ended::reached && wrong_.empty()) return true;
  }
  if (wrong_.empty()) fail("not whole " + what + ": " + standing());
  return false;
}

std::string Swarm::standing() {
  engine::ActiveCopy* active = cluster_.active();
  std::string text = std::to_string(cluster_.pending()) + " commits pending, " + cluster_.active_node() + " " + cluster_.state(cluster_.active_node());
  if (active != nullptr)
    text += " at " + to_text(active->tip().durable) + " replayed " + to_text(active->replayed()) + " commit " +
            std::to_string(active->tip().commit) + " root " + to_hex(active->tip().root, 16);
  for (const std::string& name : cluster_.names()) {
    engine::PassiveCopy* copy = cluster_.passive(name);
    if (copy == nullptr) continue;
    text += ", " + name + " " + cluster_.state(name) + " at " + to_text(copy->watermarks().durable) + " replayed " +
            to_text(copy->state().min_required) + " equal at " + to_text(copy->state().root_equal_at) + " root " +
            to_hex(copy->root().value_or(0), 16);
  }
  return text;
}

// --- what is checked -------------------------------------------------------------------------------------------------------

void Swarm::fail(const std::string& wrong) {
  if (!wrong_.empty()) return;
  wrong_ = wrong;
  cluster_.remark("WRONG: " + wrong);
}

bool Swarm::run_for(Duration duration) {
  const auto wrong = [this] {
    observe();
    return !wrong_.empty();
  };
  return world_.run_until(wrong, duration) == Ended::time;
}

void Swarm::observe() {
  if (engine::ActiveCopy* active = cluster_.active()) {
    const Position end = active->tip().durable;
    if (end < active_end_) fail("the active log ends at " + to_text(end) + ", it was durable to " + to_text(active_end_));
    active_end_ = std::max(active_end_, end);
  }
  int serving = 0;
  for (const std::string& name : cluster_.names()) {
    if (cluster_.active(name) != nullptr) ++serving;
    observe_passive(name);
  }
  if (serving > 1 && !forced_) fail("two nodes serve");  // FAULTS invariant 13
  observe_moves();
  looked_ = world_.now();
}

void Swarm::observe_passive(const std::string& name) {
  engine::PassiveCopy* copy = cluster_.passive(name);
  if (copy == nullptr || !copy->opened()) return;
  Seen& seen = seen_[name];
  const storage::CopyState& state = copy->state();
  if (!state.seeded) {
    seen.durable = seen.replayed = Position{};
    seen.whole = false;
    return;
  }
  if (state.min_required > state.max_required) fail(name + ": min_required is beyond max_required");
  const transport::Watermarks marks = copy->watermarks();
  if (!marks.durable.known()) return;
  const auto text = [&] {  // only where it is needed: this runs after every event
    return name + ": replayed " + to_text(marks.replayed) + " inspected " + to_text(marks.inspected) + " durable " +
           to_text(marks.durable) + " received " + to_text(marks.received) + " active " + to_text(active_end_);
  };
  // What it wrote as the active one, and acknowledged to nobody, is there until it meets the next one.
  const bool beyond = marks.received > active_end_ && copy->state().deposed == storage::Deposed::no;
  if (marks.replayed > marks.inspected || marks.inspected > marks.durable || marks.durable > marks.received || beyond)
    fail("not in order: " + text());
  const std::uint64_t life = cluster_.host(name).lives();
  if (seen.life != life) seen.replayed = Position{};  // what a batch applied and did not save is applied again
  if (options_.cluster.replay_lag.contains(name) && !options_.handovers) observe_delay(name, seen, marks);  // a handover ends a delay
  if (marks.durable < seen.durable || marks.replayed < seen.replayed)
    fail("went back: " + text() + ", was durable " + to_text(seen.durable) + " replayed " + to_text(seen.replayed));
  seen.life = life;
  seen.durable = marks.durable;
  seen.replayed = marks.replayed;
}

// Which faults of a disk fire while a handover is on its way. With a third node they may be at one that has no part in it.
void Swarm::observe_moves() {
  if (!options_.handovers || cluster_.names().size() > 2) return;
  const bool moving = std::any_of(cluster_.names().begin(), cluster_.names().end(), [this](const std::string& name) {
    const engine::Hosted* hosted = cluster_.hosted(name);
    return hosted != nullptr && hosted->handing_over;
  });
  for (const Fault fault : faults_in_moves) {
    const std::uint64_t fired = world_.fired(fault);
    if (std::exchange(fired_[fault], fired) < fired && (moving || was_moving_)) happened(std::string("moves met ") + name_of(fault));
  }
  was_moving_ = moving;
}

// Nothing is replayed before its lag has passed since it was first seen here, whatever restarts, forks and wall clocks do.
void Swarm::observe_delay(const std::string& name, Seen& seen, const transport::Watermarks& marks) {
  const Duration lag = options_.cluster.replay_lag.at(name);
  if (!std::exchange(seen.whole, true)) {
    seen.came.clear();
    seen.free = marks.inspected;
  }
  // What a batch had begun with before a restart was let go then.
  if (marks.inspected > std::max({marks.replayed, seen.free, cluster_.passive(name)->state().max_required})) seen.came.emplace(marks.inspected, looked_);
  while (!seen.came.empty() && seen.came.begin()->first <= marks.replayed) {
    const Instant came = seen.came.begin()->second;
    if (world_.now() - came < lag) fail(name + " replayed to " + to_text(marks.replayed) + ", of which some came " + std::to_string((world_.now() - came).count() / 1'000'000) + " ms ago");
    seen.came.erase(seen.came.begin());
    happened("positions replayed after their lag");
  }
  const bool set_aside = !seen.came.empty() && seen.came.rbegin()->first > marks.inspected;
  if (set_aside) seen.came.erase(seen.came.upper_bound(marks.inspected), seen.came.end());
}

void Swarm::hear(const std::string& node, const Event& event) {
  const auto field = [&event](const std::string& key) {
    const auto found = std::find_if(event.fields.begin(), event.fields.end(), [&](const auto& pair) { return pair.first == key; });
    return found == event.fields.end() ? std::string() : found->second;
  };
  if (event.name == "seed_finished") happened("seeds finished");
  if (event.name == "seed_pass_opened") happened("seed passes");
  if (event.name == "seed_interrupted") happened("seeds interrupted");
  if (event.name == "difference_needed") happened("differences needed");
  if (event.name == "pin_dropped") happened("pins dropped");
  if (event.name == "scrub_finished") happened("scrubs finished");
  if (event.name == "moved") happened("moves");
  if (event.name == "move_undone") happened("moves undone");
  if (event.name == "activated") happened("activations");
  if (event.name == "commit_fallback") happened("commit fallbacks");
  if (event.name == "role_changed") seen_[node] = {};
  if (event.name == "role_conflict" && !options_.disk_errors) fail(node + ": " + field("cause"));
  if (event.name == "page_rotten") fail(node + ": page " + field("page") + " is rotten, where no disk rots");
  if (event.name == "root_differs") fail(node + ": the root differs at " + field("position"));
  if (event.name != "state_changed") return;
  const std::string next = field("to");
  Seen& seen = seen_[node];
  if (next == "failed_and_suspended") {
    happened("copies failed for good");
    seen.failed = true;
    const bool diverged = field("cause").rfind("DIVERGED", 0) == 0, forked = field("cause").rfind("FORKED", 0) == 0;
    if (diverged || !(options_.disk_errors || (forced_ && forked))) fail(node + " failed for good: " + field("cause"));
  }
  if (next == "suspended") seen.suspended = true;
  if (next == "dismounted") happened("dismounts");
  if (next == "failed") happened("copies failed");
  left_rest(node, next);
}

// FAULTS invariant 18, and the same for a person's suspension: across restarts too.
void Swarm::left_rest(const std::string& node, const std::string& next) {
  static const std::set<std::string> active_states = {"needs_seed", "seeding", "resynchronizing", "healthy", "disconnected"};
  if (active_states.count(next) == 0) return;
  const Seen& seen = seen_[node];
  if (seen.suspended || seen.failed) fail(node + " went to " + next + " although it was " + (seen.failed ? "failed" : "suspended"));
}

}  // namespace ccr::sim
