#include "tools/link/direction.h"

namespace ccr::linklab {
namespace {

// Then what is due is looked at again; a gigabit of single packets is 80 in a millisecond.
constexpr int reads_per_turn_max = 64;

// What the link can hold: its queue, and what the delay keeps in the air. Twice, as deliveries may be late.
std::size_t ring_bytes(const LinkOptions& options) {
  const double in_the_air = double(options.rate_bits_per_second) / 8 * std::chrono::duration<double>(options.delay).count();
  return 2 * (static_cast<std::size_t>(in_the_air) + options.queue_bytes + framed_bytes_max);
}

}  // namespace

Direction::Direction(const TunDevice& from, const TunDevice& to, const LinkOptions& options)
    : from_(from), to_(to), link_(options), ring_(ring_bytes(options), framed_bytes_max) {}

Result<void> Direction::receive(Instant now) {
  for (int reads = 0; reads < reads_per_turn_max; ++reads) {
    const ByteSpan room = ring_.reserve();
    if (room.empty()) break;  // so late that the kernel has to keep them
    const Result<std::size_t> got = from_.read(room);
    if (!got) return got.error();
    if (*got == 0) break;
    const std::optional<FramedPacket> packet = FramedPacket::parse(room.first(*got));
    if (!packet) {
      ++refused_;
      continue;
    }
    ++trains_;
    runs_.clear();
    link_.offer(now, packet->train(), runs_);
    if (runs_.empty()) continue;
    ring_.keep(packet->bytes_through(runs_.back()));
    for (const Run& run : runs_) flights_.push_back({*packet, run, false});
    flights_.back().last_of_packet = true;
  }
  return {};
}

void Direction::deliver(Instant now) {
  while (!flights_.empty() && flights_.front().run.at <= now) {
    const Flight& flight = flights_.front();
    lateness_.add(now - flight.run.at);
    bool taken = false;
    if (flight.packet.is_whole(flight.run)) {
      taken = to_.write(flight.packet.whole(), {});
    } else {
      const RunBytes bytes = flight.packet.bytes_of(flight.run);
      taken = to_.write(ByteView(bytes.headers).first(bytes.headers_bytes),
                        flight.packet.whole().subspan(bytes.payload_at, bytes.payload_bytes));
    }
    if (!taken) ++refused_;
    if (flight.last_of_packet) ring_.drop_oldest();
    flights_.pop_front();
  }
}

std::optional<Instant> Direction::next_due() const {
  if (flights_.empty()) return std::nullopt;
  return flights_.front().run.at;
}

}  // namespace ccr::linklab
