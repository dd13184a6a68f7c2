// What goes wrong on a SimNetwork: by call, and as weather.
#include <algorithm>

#include "tests/sim/sim_network.h"

namespace ccr::sim {
namespace {

bool between(const Stream& stream, HostId a, HostId b) {
  const HostId x = stream.ends[0].host, y = stream.ends[1].host;
  return (x == a && y == b) || (x == b && y == a);
}

}  // namespace

// --- faults by call ---

void SimNetwork::block(HostId from, HostId to) {
  ++link(from, to).blocks;
  world_.count(Fault::partition, from, to);
}

void SimNetwork::unblock(HostId from, HostId to) {
  if (link(from, to).blocks > 0) --link(from, to).blocks;
  for_each_stream([&](Stream& stream) { retry(stream, draw_retransmission()); });
}

void SimNetwork::partition(HostId a, HostId b) {
  block(a, b);
  block(b, a);
}

void SimNetwork::heal(HostId a, HostId b) {
  unblock(a, b);
  unblock(b, a);
}

void SimNetwork::lose(const std::string& address) { lost_.insert(address); }

void SimNetwork::restore(const std::string& address) {
  lost_.erase(address);
  for_each_stream([&](Stream& stream) {
    if (stream.ends[1].address.host == address) retry(stream, draw_retransmission());
  });
}

void SimNetwork::heal_all() {
  lost_.clear();
  ++heal_round_;
  for (std::vector<Link>& row : links_) {
    for (Link& way : row) way.blocks = 0, way.stalled_until = world_.now();
  }
  for_each_stream([&](Stream& stream) { retry(stream, draw_retransmission()); });
}

void SimNetwork::stall(HostId from, HostId to, Duration duration) {
  Instant& until = link(from, to).stalled_until;
  until = std::max(until, world_.now() + duration);
  world_.count(Fault::link_stall, from, to);
}

void SimNetwork::cut(Stream& stream) {
  world_.count(Fault::connection_cut, stream.id);
  for (const int from : {0, 1}) {
    End& sender = stream.ends[from];
    End& receiver = stream.ends[1 - from];
    std::uint64_t flying = 0;
    for (const Segment& segment : sender.travelling) flying += segment.bytes.size();
    std::uint64_t arrives = random_.below(flying + 1);  // at any byte
    if (!receiver.open || receiver.reset || !passes(stream, from)) arrives = 0;
    for (const Segment& segment : sender.travelling) {
      const std::uint64_t part = std::min<std::uint64_t>(arrives, segment.bytes.size());
      receiver.inbox.insert(receiver.inbox.end(), segment.bytes.begin(), segment.bytes.begin() + static_cast<std::ptrdiff_t>(part));
      arrives -= part;
    }
  }
  reset(stream, 0);
  reset(stream, 1);
  remove_if_over(stream);
}

bool SimNetwork::planned(HostId host, NetworkAction action) {
  for (NetworkPlan& plan : hosts_[host].plans) {
    if (plan.action != NetworkAction::any && plan.action != action) continue;
    if (plan.skip > 0) {
      --plan.skip;
    } else if (plan.times > 0) {
      --plan.times;
      world_.count(Fault::network_error, host, static_cast<std::uint64_t>(action));
      return true;
    }
  }
  return false;
}

void SimNetwork::break_off(Stream& stream, int side) {
  cut(stream);
  stream.ends[side].inbox.clear();
}

std::size_t SimNetwork::connections(HostId a, HostId b) const {
  std::size_t count = 0;
  for (const auto& [id, stream] : streams_) {
    if (between(*stream, a, b)) ++count;
  }
  return count;
}

std::size_t SimNetwork::connections_over(const std::string& address) const {
  const auto over = [&](const auto& stream) { return stream.second->ends[1].address.host == address; };
  return static_cast<std::size_t>(std::count_if(streams_.begin(), streams_.end(), over));
}

std::size_t SimNetwork::cut(HostId a, HostId b) {
  std::size_t count = 0;
  for_each_stream([&](Stream& stream) {
    if (!between(stream, a, b)) return;
    cut(stream);
    ++count;
  });
  return count;
}

std::size_t SimNetwork::half_open(HostId a, HostId b, std::optional<std::size_t> which) {
  std::size_t count = 0, index = 0;
  for_each_stream([&](Stream& stream) {
    if (stream.half_open || !between(stream, a, b)) return;
    if (which && index++ != *which) return;
    stream.half_open = true;
    world_.count(Fault::half_open, stream.id);
    ++count;
  });
  return count;
}

// --- weather ---

void SimNetwork::start_weather() {
  ++weather_round_;
  if (hosts_.size() < 2) return;
  if (options_.partition_every > Duration::zero()) schedule_partition();
  if (options_.half_open_every > Duration::zero()) schedule_half_open();
}

void SimNetwork::schedule_partition() {
  const std::uint64_t round = weather_round_;
  auto strike = [this, round] {
    if (round != weather_round_) return;
    const HostId a = random_.below(hosts_.size());
    const HostId b = (a + 1 + random_.below(hosts_.size() - 1)) % hosts_.size();
    const bool both = random_.chance(1, 2);
    block(a, b);
    if (both) block(b, a);
    const std::uint64_t healed = heal_round_;
    auto end = [this, a, b, both, healed] {
      if (healed != heal_round_) return;
      unblock(a, b);
      if (both) unblock(b, a);
    };
    world_.after(Duration(random_.below(options_.partition_max.count() + 1)), "weather.clears", end);
    schedule_partition();
  };
  world_.after(Duration(random_.below(2 * options_.partition_every.count())), "weather.partition", strike);
}

void SimNetwork::schedule_half_open() {
  const std::uint64_t round = weather_round_;
  auto strike = [this, round] {
    if (round != weather_round_) return;
    if (!streams_.empty()) {
      auto chosen = std::next(streams_.begin(), static_cast<std::ptrdiff_t>(random_.below(streams_.size())));
      chosen->second->half_open = true;
      world_.count(Fault::half_open, chosen->first);
    }
    schedule_half_open();
  };
  world_.after(Duration(random_.below(2 * options_.half_open_every.count())), "weather.half_open", strike);
}

}  // namespace ccr::sim
