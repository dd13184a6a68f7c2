#include "seed/fair_share.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/timeout.h"

namespace ccr::seed {

FairShare::Stream::Stream(FairShare& share, std::string seed) : share_(share), seat_(share.seats_.try_emplace(std::move(seed)).first) {
  ++seat_->second.streams;
}

FairShare::Stream::~Stream() {
  if (--seat_->second.streams > 0) return;
  CCR_ASSERT(seat_->second.wanting == 0);
  share_.seats_.erase(seat_);
}

FairShare::Turn::~Turn() {
  if (seat_ == nullptr) return;
  --seat_->wanting;
  seat_->wanted_at = share_->clock_.now();
  share_->changed_.notify();
}

void FairShare::Turn::sent(std::uint64_t bytes) {
  seat_->sent += bytes;
  share_->sent_since_ += bytes;
  seat_->last_took = share_->clock_.now() - began_;
}

bool FairShare::ahead(const Seat& seat) const {
  const Instant now = clock_.now();
  const auto slower = [&](const auto& other) { return counts(other.second, now) && other.second.sent + lead_max < seat.sent; };
  return std::any_of(seats_.begin(), seats_.end(), slower);
}

void FairShare::look() {
  constexpr double much_less = 0.6, forgets = 0.95;
  const Duration since = clock_.now() - looked_at_;
  if (since < patience) return;
  const double rate = static_cast<double>(sent_since_) / std::chrono::duration<double>(since).count();
  if (waited_since_ * 2 >= since && rate < could_send_ * much_less) exempt_slow();
  could_send_ = std::max(rate, could_send_ * forgets);
  looked_at_ = clock_.now();
  sent_since_ = 0;
  waited_since_ = Duration::zero();
}

// Who is behind the first that wants to send.
void FairShare::exempt_slow() {
  const Instant now = clock_.now();
  std::uint64_t most = 0;
  for (const auto& [seed, seat] : seats_)
    if (counts(seat, now)) most = std::max(most, seat.sent);
  for (auto& [seed, seat] : seats_)
    if (counts(seat, now) && seat.sent + lead_max / 2 < most) seat.exempt_until = now + exempt_time;
}

Duration FairShare::patience_with_slower(const Seat& than) const {
  const Instant now = clock_.now();
  Duration longest = patience;
  for (const auto& [seed, seat] : seats_)
    if (counts(seat, now) && seat.sent + lead_max < than.sent) longest = std::max(longest, 2 * seat.last_took);
  return std::min(longest, patience_max);
}

Task<FairShare::Turn> FairShare::turn(Stream& stream) {
  Seat& seat = stream.seat_->second;
  const Instant now = clock_.now();
  std::uint64_t slowest = std::numeric_limits<std::uint64_t>::max();
  for (const auto& [seed, other] : seats_)
    if (counts(other, now)) slowest = std::min(slowest, other.sent);
  const bool idle = (seat.wanting == 0 && now - seat.wanted_at > patience) || seat.exempt_until > now;
  if (idle && slowest != std::numeric_limits<std::uint64_t>::max()) seat.sent = std::max(seat.sent, slowest);
  ++seat.wanting;
  Turn turn(*this, seat);
  if (ahead(seat)) {
    const auto level = [this, &seat] { return !ahead(seat); };
    const Duration limit = patience_with_slower(seat);
    const Instant began = clock_.now();
    co_await wait_for(clock_, limit, changed_, level);
    waited_since_ += clock_.now() - began;
  }
  look();
  turn.began_ = clock_.now();
  co_return std::move(turn);
}

}  // namespace ccr::seed
