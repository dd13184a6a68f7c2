#include "transport/history_budget.h"

#include <algorithm>

#include "transport/log_packer.h"

namespace ccr::transport {
namespace {

constexpr std::uint64_t working_bytes = 2 * MiB;  // two blocks, entropy tables, the buffers of one piece

template <class BytesOf>
int longest(int wanted, std::uint64_t bytes_max, BytesOf bytes_of) {
  for (int log = std::min(wanted, history_log_max); log >= history_log_min; --log) {
    if (bytes_of(log) <= bytes_max) return log;
  }
  return 0;
}

}  // namespace

// The history itself, one entry of 8 bytes for 128 bytes of it (long distance matching), and the tables of the level.
std::uint64_t packing_bytes(int level, int history_log) noexcept {
  const std::uint64_t history = std::uint64_t(1) << history_log;
  const std::uint64_t tables = level < LogPacker::bounded_level_min ? 6 * MiB : 10 * MiB;
  return history + history / LogPacker::history_bytes_per_entry * 8 + tables + working_bytes;
}

std::uint64_t unpacking_bytes(int history_log) noexcept { return (std::uint64_t(1) << history_log) + working_bytes; }

int HistoryBudget::offer_packing(int level, int history_log_wanted) const noexcept {
  return longest(history_log_wanted, (bytes_max_ - bytes_held_) / 2, [level](int log) { return packing_bytes(level, log); });
}

int HistoryBudget::offer_unpacking(int history_log_wanted) const noexcept {
  return longest(history_log_wanted, (bytes_max_ - bytes_held_) / 2, unpacking_bytes);
}

HistoryBudget::Lease HistoryBudget::lease_packing(int level, int history_log_wanted) {
  const int log = offer_packing(level, history_log_wanted);
  return lease(log, log == 0 ? 0 : packing_bytes(level, log));
}

HistoryBudget::Lease HistoryBudget::lease_unpacking(int history_log_wanted) {
  const int log = offer_unpacking(history_log_wanted);
  return lease(log, log == 0 ? 0 : unpacking_bytes(log));
}

HistoryBudget::Lease HistoryBudget::lease(int history_log, std::uint64_t bytes) {
  CCR_ASSERT(bytes <= bytes_max_ - bytes_held_);
  Lease taken;
  if (history_log == 0) return taken;
  bytes_held_ += bytes;
  taken.budget_ = this;
  taken.log_ = history_log;
  taken.bytes_ = bytes;
  return taken;
}

void HistoryBudget::Lease::release() noexcept {
  if (budget_ != nullptr) {
    CCR_ASSERT(budget_->bytes_held_ >= bytes_);
    budget_->bytes_held_ -= bytes_;
  }
  budget_ = nullptr;
  log_ = 0;
  bytes_ = 0;
}

}  // namespace ccr::transport
