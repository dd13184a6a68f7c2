#include "engine/contacts.h"

#include <algorithm>

namespace ccr::engine {

Contacts::Attached::~Attached() {
  if (among_ != nullptr) among_->remove(this);
}

Result<void> Contacts::Attached::belongs_to(const std::string& peer) {
  CCR_ASSERT(among_ == nullptr);
  if (const std::optional<Error> refused = contacts_.refusal(peer)) return *refused;
  among_ = &contacts_.open_[peer];
  among_->push_back(this);
  return {};
}

void Contacts::part(const std::string& peer, Duration how_long) {
  const Duration bounded = std::clamp(how_long, Duration::zero(), part_max);
  until_[peer] = clock_.now() + bounded;
  const Event event{"outage_begun", node_, {{"peer", peer}, {"seconds", std::to_string(std::chrono::duration_cast<std::chrono::seconds>(bounded).count())}}};
  trace_.record(event);
  for (Attached* connection : open_[peer]) connection->close();
}

void Contacts::join(const std::string& peer) {
  if (until_.contains(peer)) end(peer);
}

void Contacts::end(const std::string& peer) {
  until_.erase(peer);
  const Event event{"outage_ended", node_, {{"peer", peer}}};
  trace_.record(event);
}

// Whoever looks first once its time is over tells its end: each peer is dialled, or dials, every two seconds meanwhile.
std::optional<Duration> Contacts::parted(const std::string& peer) {
  const auto found = until_.find(peer);
  if (found == until_.end()) return std::nullopt;
  const Duration left = found->second - clock_.now();
  if (left > Duration::zero()) return left;
  end(peer);
  return std::nullopt;
}

std::optional<Error> Contacts::refusal(const std::string& peer) {
  const std::optional<Duration> left = parted(peer);
  if (!left) return std::nullopt;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(*left).count();
  return Error{ErrorKind::unreachable, "a drill keeps " + node_ + " and " + peer + " apart for another " + std::to_string(seconds) + " s", "it ends by itself"};
}

}  // namespace ccr::engine
