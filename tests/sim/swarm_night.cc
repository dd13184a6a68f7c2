// The night of a seed: whole, and nobody writes. Everything comes to rest; what breaks in it is found by itself; in the morning all is there at once.
#include <algorithm>

#include "engine/heartbeat.h"
#include "tests/sim/swarm.h"

namespace ccr::sim {

using namespace std::chrono_literals;

namespace {

// An hour of two nodes with one path is the cheapest.
constexpr Duration night_min = 12min, night_max = 36min, long_night_min = 1h, long_night_max = 3h;
constexpr Duration busy_night_min = 2min, busy_night_max = 6min;        // of more nodes or paths, each of which has its heartbeats
constexpr Duration scrubbed_night_min = 30s, scrubbed_night_max = 90s;  // every few seconds all pages are read
constexpr std::uint64_t long_nights = 50;  // one of so many
constexpr Duration look = 1s;

const engine::TransportConfig beats{};
// One that died under its rest is found when two of its heartbeats are missing; then a connection is made anew.
constexpr Duration reconnect_max = 10s;
const Duration found_within = beats.heartbeat_interval * (2 * engine::PeerWatch::rest_intervals) + reconnect_max;
// Or by whoever has something to say.
const Duration found_by_news_within = beats.heartbeat_interval * beats.heartbeat_missed + reconnect_max;
// The idle roll is news; behind it a connection is calm again.
const Duration rest_within = engine::ActiveCopy::idle_roll + beats.heartbeat_interval * (engine::PeerWatch::calm_intervals + 5);

}  // namespace

Duration Swarm::draw_night() {
  if (options_.cluster.scrub.every > 0s) return scrubbed_night_min + up_to(scrubbed_night_max - scrubbed_night_min);
  if (cluster_.names().size() > 2 || options_.cluster.paths > 1) return busy_night_min + up_to(busy_night_max - busy_night_min);
  const bool is_long = random_.chance(1, long_nights);
  const Duration least = is_long ? long_night_min : night_min, most = is_long ? long_night_max : night_max;
  return least + up_to(most - least);
}

bool Swarm::night() {
  constexpr Duration last_words = 100ms;  // what an operator asked for in the last moment of the day
  world_.run_for(last_words);
  if (!wait_until_whole(liveness_limit, "in the evening")) return false;
  const Duration length = draw_night();
  cluster_.remark("a night of " + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(length).count()) + " s");
  const Instant end = world_.now() + length;
  const Instant trouble_at = world_.now() + up_to(length);
  bool troubled = !random_.chance(1, 3);  // no trouble is still to come
  Instant calm = world_.now();
  const std::uint64_t scrubs = counts_.happened["scrubs finished"];
  while (world_.now() < end && wrong_.empty()) {
    world_.run_for(std::min(look, end - world_.now()));
    observe();
    if (troubled || world_.now() < trouble_at) continue;
    troubled = true;
    calm = world_.now();
    night_trouble();
  }
  happened("nights");
  const Duration quiet = world_.now() - calm;
  const bool scrubbed = options_.cluster.scrub.every > 0s;  // every few seconds here, and what a scrub finds is news
  if (!scrubbed && quiet >= found_within + rest_within) hold_rest();
  if (scrubbed && !options_.wall_jumps && quiet > scrubbed_night_min && counts_.happened["scrubs finished"] == scrubs) fail("no scrub in a night");
  return wrong_.empty() && morning(quiet < found_within ? found_by_news_within : 0s);
}

void Swarm::night_trouble() {
  const std::string name = any_node();
  NodeHost& host = cluster_.host(name);
  SimNetwork& network = cluster_.network();
  const HostId active = cluster_.host(cluster_.active_node()).host(), other = cluster_.host(any_passive()).host();
  switch (random_.below(4)) {
    case 0: {
      const std::size_t there = network.connections(active, other);
      cluster_.remark("a connection dies in the night");
      if (there > 0) network.half_open(active, other, random_.below(there));
      return happened("connections that died in a night");
    }
    case 1:
      cluster_.remark("all connections of two nodes die in the night");
      network.half_open(active, other);
      return happened("connections that died in a night");
    case 2: {
      cluster_.remark(name + " dies in the night");
      const bool power = random_.chance(1, 2);
      host.kill(power ? draw_power_cut(random_) : CrashStyle{Damage::process_only, Ordering::ordered});
      const auto start = [&host] {
        if (!host.alive()) host.start();
      };
      world_.after(up_to(down_max), "swarm.start", start);
      return happened("nodes that died in a night");
    }
    case 3:
      if (!options_.wall_jumps) return;
      cluster_.remark("the clock of " + name + " jumps in the night");
      host.jump_wall(up_to(48h) - Duration(24h));
      return happened("clocks that jumped in a night");
  }
}

// Each log connection says nearly nothing, on either side, and the generation of the last commit is sealed.
void Swarm::hold_rest() {
  engine::ActiveCopy* active = cluster_.active();
  if (active == nullptr) return fail("nobody serves in the night: " + standing());
  const Position end = active->tip().durable;
  const bool is_sealed = end == Position::start_of(end.generation) || active->log().open_generation() > end.generation;  // behind it a record that was abandoned
  if (!is_sealed) fail("the generation of the last commit is open all night: " + standing());
  for (const std::string& name : cluster_.names()) {
    if (name == cluster_.active_node()) continue;
    engine::PassiveCopy* copy = cluster_.passive(name);
    if (copy == nullptr || !copy->tip() || !copy->tip()->at_rest || !active->copies().of(name).watermarks.at_rest) fail(name + " does not rest: " + standing());
  }
  happened("nights of rest");
}

// A commit is on its way at once, and soon every copy is equal again. `found`: what a connection that died lately may take to be missed.
bool Swarm::morning(Duration found) {
  constexpr Duration at_once = 500ms, soon = 3s;
  Duration lag{0};  // twice: the idle roll may come meanwhile, which is log too
  for (const auto& [name, each] : options_.cluster.replay_lag) lag = std::max(lag, each);
  cluster_.remark("morning");
  if (found > 0s && cluster_.active() == nullptr && !wait_until_whole(liveness_limit, "in the morning")) return false;
  if (!cluster_.commit(content_, {1})) fail("nobody serves in the morning: " + standing());
  const auto arrived = [this] {
    if (cluster_.active() == nullptr || cluster_.pending() > 0) return false;
    return std::all_of(cluster_.names().begin(), cluster_.names().end(), [this](const std::string& name) {
      engine::PassiveCopy* copy = cluster_.passive(name);
      return name == cluster_.active_node() || (copy != nullptr && copy->watermarks().durable == cluster_.active()->tip().durable);
    });
  };
  if (wrong_.empty() && world_.run_until(arrived, at_once + found) != Ended::reached) fail("the first commit of the morning did not come at once: " + standing());
  if (wrong_.empty() && world_.run_until([this] { return whole(); }, soon + 2 * lag) != Ended::reached) fail("not whole soon behind the first commit of the morning: " + standing());
  observe();
  return wrong_.empty();
}

}  // namespace ccr::sim
