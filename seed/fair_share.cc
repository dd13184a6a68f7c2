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

void FairShare::Turn::sent(std::uint64_t bytes) { seat_->sent += bytes; }

bool FairShare::ahead(const Seat& seat) const {
  const Instant now = clock_.now();
  const auto slower = [&](const auto& other) { return counts(other.second, now) && other.second.sent + lead_max < seat.sent; };
  return std::any_of(seats_.begin(), seats_.end(), slower);
}

void FairShare::exempt_slower(const Seat& than) {
  const Instant now = clock_.now();
  for (auto& [seed, seat] : seats_) {
    if (counts(seat, now) && seat.sent + lead_max < than.sent) seat.exempt_until = now + exempt_time;
  }
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
  if (!ahead(seat)) co_return std::move(turn);
  const auto level = [this, &seat] { return !ahead(seat); };
  co_await wait_for(clock_, patience, changed_, level);
  exempt_slower(seat);
  co_return std::move(turn);
}

}  // namespace ccr::seed
