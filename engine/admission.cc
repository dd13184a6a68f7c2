#include "engine/admission.h"

#include <algorithm>

namespace ccr::engine {
namespace {

using namespace std::chrono_literals;

constexpr Duration accept_interval = Duration(1s) / Admission::accepts_per_second_max;
constexpr Duration burst = accept_interval * (Admission::accepts_per_second_max - 1);  // that many at once after a pause, and one
constexpr const char* flood_hint = "a peer that is refused again and again, or a flood: ccr events";

}  // namespace

static_assert(Admission::unproven_per_address_max <= Admission::unproven_max);

void Admission::forget_idle(Instant now) {
  std::erase_if(addresses_, [now](const auto& entry) { return entry.second.unproven == 0 && entry.second.earned + burst <= now; });
}

// Room for one more of `host`.
std::optional<std::uint64_t> Admission::push_out(const std::string& host) {
  const bool of_host = addresses_[host].unproven >= unproven_per_address_max;
  if (!of_host && unproven_.size() < unproven_max) return std::nullopt;
  const auto oldest = std::find_if(unproven_.begin(), unproven_.end(), [&](const auto& entry) { return !of_host || entry.second == host; });
  CCR_ASSERT(oldest != unproven_.end());
  const std::uint64_t number = oldest->first;
  leave(number, false);
  return number;
}

Result<Admission::Admitted> Admission::admit(const std::string& host, Instant now) {
  if (addresses_.size() >= addresses_max) forget_idle(now);
  if (addresses_.size() >= addresses_max && !addresses_.contains(host)) {
    return Error{ErrorKind::refused, std::to_string(addresses_max) + " addresses came within a second", flood_hint};
  }
  Address& address = addresses_[host];
  const Instant earned = std::max(address.earned, now + -burst);
  if (earned > now) {
    return Error{ErrorKind::refused, "more than " + std::to_string(accepts_per_second_max) + " connections a second of " + host,
                 flood_hint};
  }
  address.earned = earned + accept_interval;
  Admitted admitted;
  admitted.pushed_out = push_out(host);
  admitted.number = next_++;
  unproven_.emplace(admitted.number, host);
  ++address.unproven;
  return admitted;
}

void Admission::leave(std::uint64_t number, bool proven) {
  const auto found = unproven_.find(number);
  if (found == unproven_.end()) return;
  Address& address = addresses_.at(found->second);
  CCR_ASSERT(address.unproven > 0);
  --address.unproven;
  if (proven) address.earned = address.earned + -accept_interval;
  unproven_.erase(found);
}

void RefusalLog::record(const std::string& peer, const Error& error, Instant now) {
  if (now - second_ >= Duration(1s)) {
    second_ = now;
    events_ = 0;
  }
  if (events_ >= events_per_second_max) {
    ++untold_;
    return;
  }
  ++events_;
  Event event{"connection_refused", node_, {{"peer", peer}, {"cause", error.message}, {"hint", error.hint}}};
  if (untold_ > 0) event.fields.emplace_back("others", std::to_string(untold_));
  untold_ = 0;
  trace_.record(event);
}

}  // namespace ccr::engine
