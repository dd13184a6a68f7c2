#include "tools/link/link.h"

#include <algorithm>
#include <cmath>

namespace ccr::linklab {
namespace {

constexpr std::uint64_t bits_nanoseconds = 8ULL * 1'000'000'000ULL;  // bytes * this / rate = nanoseconds
constexpr std::uint64_t billion = 1'000'000'000;

}  // namespace

Link::Link(const LinkOptions& options) : options_(options), random_(options.seed) {
  CCR_ASSERT(options.rate_bits_per_second > 0);
  CCR_ASSERT(options.delay.count() >= 0);
  CCR_ASSERT(options.loss_per_billion <= billion);
}

// To the nearest byte: an instant is a whole nanosecond, an eighth of a byte on a gigabit.
std::uint64_t Link::waiting_bytes(Instant now) const {
  if (free_at_ <= now) return 0;
  const double waiting = double((free_at_ - now).count()) * double(options_.rate_bits_per_second) / double(bits_nanoseconds);
  return static_cast<std::uint64_t>(std::llround(waiting));
}

bool Link::fits(Instant now, std::uint64_t bytes) const {
  return free_at_ <= now || waiting_bytes(now) + bytes <= options_.queue_bytes;
}

void Link::send(std::uint64_t bytes) {
  const std::uint64_t work = bytes * bits_nanoseconds + free_carry_;
  free_at_ = free_at_ + Duration(static_cast<std::int64_t>(work / options_.rate_bits_per_second));
  free_carry_ = work % options_.rate_bits_per_second;
}

bool Link::lost() { return options_.loss_per_billion > 0 && random_.chance(options_.loss_per_billion, billion); }

void Link::offer(Instant now, const Train& train, std::vector<Run>& runs) {
  CCR_ASSERT(train.packets > 0);
  CCR_ASSERT(now >= offered_at_);
  offered_at_ = now;
  const std::uint64_t all_bytes = train.packet_wire_bytes * (train.packets - 1) + train.last_wire_bytes;
  counters_.packets_offered += train.packets;
  counters_.bytes_offered += all_bytes;
  bool open = false;  // the newest run may take the next packet
  Instant run_began;
  for (std::uint32_t at = 0; at < train.packets; ++at) {
    const std::uint64_t bytes = at + 1 == train.packets ? train.last_wire_bytes : train.packet_wire_bytes;
    if (!fits(now, bytes)) {
      counters_.packets_dropped_by_queue += train.packets - at;
      break;
    }
    if (free_at_ <= now) {
      free_at_ = now;
      free_carry_ = 0;
    }
    const Instant began = free_at_;
    send(bytes);
    if (lost()) {
      ++counters_.packets_dropped_by_loss;
      open = false;
      continue;
    }
    ++counters_.packets_carried;
    counters_.bytes_carried += bytes;
    if (!open || free_at_ - run_began > options_.run_time_max) {
      runs.push_back({at, 0, {}});
      run_began = began;
      open = true;
    }
    ++runs.back().packets;
    runs.back().at = free_at_ + options_.delay;
  }
  counters_.queue_bytes_most = std::max(counters_.queue_bytes_most, waiting_bytes(now));
}

}  // namespace ccr::linklab
