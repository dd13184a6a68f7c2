// How segments travel on a SimNetwork: sent, held up, delivered, answered.
#include <algorithm>

#include "tests/sim/sim_network.h"
#include "tests/sim/sim_ports.h"

namespace ccr::sim {
namespace {

// What TCP waits before it sends a lost segment again (RFC 6298 asks for 1 s at least, Linux takes 0.2 s).
constexpr std::uint64_t retransmission_min = 200'000'000, retransmission_max = 1'000'000'000;

}  // namespace

Duration SimNetwork::draw_delay() { return Duration(random_.between(options_.delay_min.count(), options_.delay_max.count())); }
Duration SimNetwork::draw_retransmission() { return Duration(random_.between(retransmission_min, retransmission_max)); }

std::uint64_t SimNetwork::room(const Stream& stream, int side) const {
  const std::uint64_t used = stream.ends[side].accepted;
  return used < options_.buffer_bytes ? options_.buffer_bytes - used : 0;
}

void SimNetwork::send(Stream& stream, int from, Bytes bytes, SegmentKind kind) {
  End& end = stream.ends[from];
  Link& way = link(end.host, stream.ends[1 - from].host);
  const Duration transfer(bytes.size() * 1'000'000'000 / options_.bytes_per_second);
  way.busy_until = std::max(way.busy_until, world_.now()) + transfer;
  end.last_arrival = std::max(end.last_arrival, way.busy_until + draw_delay());
  end.accepted += bytes.size();
  end.travelling.push_back({kind, std::move(bytes), end.last_arrival});
  if (end.travelling.size() == 1) schedule_arrival(stream, from);
}

void SimNetwork::schedule_arrival(Stream& stream, int from) {
  Stream* travelled = &stream;
  auto on_arrival = [travelled, from] { travelled->network->arrive(*travelled, from); };
  stream.ends[from].arrival = world_.at(stream.ends[from].travelling.front().arrives, "net.arrive", on_arrival);
}

void SimNetwork::arrive(Stream& stream, int from) {
  End& sender = stream.ends[from];
  End& receiver = stream.ends[1 - from];
  CCR_ASSERT(!sender.travelling.empty());
  if (!passes(stream, from)) return get_stuck(stream, from);
  const Instant stalled_until = link(sender.host, receiver.host).stalled_until;
  if (world_.now() < stalled_until || drawn(options_.loss_ppm)) {
    sender.travelling.front().arrives = std::max(stalled_until + draw_delay(), world_.now() + draw_retransmission());
    return schedule_arrival(stream, from);
  }
  if (receiver.gone) {
    const bool answers = hosts_[receiver.host].powered && passes(stream, 1 - from);
    if (answers && sender.travelling.front().kind == SegmentKind::reset) {  // never answered: two machines that came back would do so for ever
      drop_travelling(sender);
      return remove_if_over(stream);
    }
    return answers ? answer_with_reset(stream, 1 - from) : get_stuck(stream, from);
  }
  if (drawn(options_.stall_ppm)) stall(sender.host, receiver.host, Duration(random_.below(options_.stall_max.count() + 1)));
  if (drawn(options_.cut_ppm)) return cut(stream);
  Segment segment = std::move(sender.travelling.front());
  sender.travelling.pop_front();
  if (!sender.travelling.empty()) schedule_arrival(stream, from);
  deliver(stream, from, std::move(segment));
  remove_if_over(stream);
}

void SimNetwork::deliver(Stream& stream, int from, Segment segment) {
  End& receiver = stream.ends[1 - from];
  world_.note("net.deliver", stream.id * 2 + static_cast<std::uint64_t>(from), segment.bytes.size());
  if (segment.kind == SegmentKind::reset) return reset(stream, 1 - from);
  if (segment.kind == SegmentKind::end) {
    receiver.ended = true;
    return wake(receiver.reader);
  }
  if (!receiver.open || receiver.reset) return answer_with_reset(stream, 1 - from);
  if (drawn(options_.bit_flip_ppm)) {
    const std::size_t at = random_.below(segment.bytes.size());
    segment.bytes[at] ^= static_cast<std::byte>(1u << random_.below(8));
    world_.count(Fault::bit_flip, stream.id, at);
  }
  receiver.inbox.insert(receiver.inbox.end(), segment.bytes.begin(), segment.bytes.end());
  wake(receiver.reader);
}

// The sender learns it one way later; nothing of what it sent meanwhile counts.
void SimNetwork::answer_with_reset(Stream& stream, int side) {
  drop_travelling(stream.ends[1 - side]);
  drop_travelling(stream.ends[side]);
  send(stream, side, {}, SegmentKind::reset);
}

void SimNetwork::get_stuck(Stream& stream, int from) {
  End& sender = stream.ends[from];
  if (sender.stuck) return;
  sender.stuck = true;
  Stream* held = &stream;
  auto give_up = [held, from] {
    held->network->reset(*held, from);
    held->network->remove_if_over(*held);
  };
  sender.gives_up = world_.after(options_.retransmit_limit, "net.give_up", give_up);
}

void SimNetwork::retry(Stream& stream, Duration after) {
  for (const int from : {0, 1}) {
    End& sender = stream.ends[from];
    if (sender.credit_stuck && passes(stream, 1 - from)) return_credit(stream, from);
    if (!sender.stuck || !passes(stream, from)) continue;
    sender.stuck = false;
    world_.cancel(sender.gives_up);
    sender.travelling.front().arrives = world_.now() + after;
    schedule_arrival(stream, from);
  }
}

std::size_t SimNetwork::take(Stream& stream, int side, ByteSpan into) {
  End& reader = stream.ends[side];
  CCR_ASSERT(!reader.inbox.empty() && !into.empty());
  std::size_t count = std::min(into.size(), reader.inbox.size());
  if (count > 1 && drawn(options_.short_read_ppm)) count = random_.between(1, count);
  const auto end = reader.inbox.begin() + static_cast<std::ptrdiff_t>(count);
  std::copy(reader.inbox.begin(), end, into.begin());
  reader.inbox.erase(reader.inbox.begin(), end);
  stream.ends[1 - side].credit += count;
  return_credit(stream, 1 - side);
  return count;
}

// Room for the end `side`, which wrote what its peer has now read.
void SimNetwork::return_credit(Stream& stream, int side) {
  End& writer = stream.ends[side];
  if (writer.credit_return.sequence != 0) return;
  writer.credit_stuck = false;
  Stream* read = &stream;
  auto on_return = [read, side] {
    End& end = read->ends[side];
    end.credit_return = {};
    SimNetwork& network = *read->network;
    if (!network.passes(*read, 1 - side)) {
      end.credit_stuck = true;
      return;
    }
    CCR_ASSERT(end.accepted >= end.credit);
    end.accepted -= end.credit;
    end.credit = 0;
    wake(end.writer);
  };
  writer.credit_return = world_.after(draw_delay(), "net.credit", on_return);
}

void SimNetwork::drop_travelling(End& end) {
  world_.cancel(end.arrival);
  world_.cancel(end.gives_up);
  end.travelling.clear();
  end.stuck = false;
}

void SimNetwork::reset(Stream& stream, int side) {
  End& end = stream.ends[side];
  end.reset = true;
  drop_travelling(end);
  wake(end.reader);
  wake(end.writer);
}

void SimNetwork::close(Stream& stream, int side) {
  End& end = stream.ends[side];
  if (!end.open) return;
  end.open = false;
  wake(end.reader);
  wake(end.writer);
  if (!end.reset && !end.inbox.empty()) {  // as Linux: unread bytes make it a reset, which overtakes what was written
    drop_travelling(end);
    send(stream, side, {}, SegmentKind::reset);
    end.reset = true;
  } else if (!end.reset) {
    send(stream, side, {}, SegmentKind::end);
  }
  end.inbox.clear();
  remove_if_over(stream);
}

void SimNetwork::vanish(Stream& stream, int side) {
  End& end = stream.ends[side];
  end.gone = true;
  end.open = false;
  end.inbox.clear();
  wake(end.reader);
  wake(end.writer);
  if (end.travelling.empty()) return;
  const std::size_t left_the_machine = random_.below(end.travelling.size() + 1);
  if (left_the_machine == 0) return drop_travelling(end);
  end.travelling.resize(left_the_machine);
}

void SimNetwork::remove_if_over(Stream& stream) {
  for (const End& end : stream.ends) {
    if (end.open || !end.travelling.empty()) return;
  }
  for (const End& end : stream.ends) world_.cancel(end.credit_return);
  streams_.erase(stream.id);
}

}  // namespace ccr::sim
