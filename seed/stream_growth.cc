#include "seed/stream_growth.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace ccr::seed {
namespace {

constexpr int steps_of_a_rate = 2;
constexpr double gain_min = 1.05;

}  // namespace

StreamGrowth::StreamGrowth(std::size_t least, std::size_t most)
    : most_(most), wanted_(least), settled_(least == most) {
  CCR_ASSERT(least >= 1 && least <= most);
}

void StreamGrowth::look(Instant now, std::uint64_t bytes, bool limits) {
  if (settled_) return;
  const bool counts = limits && !std::exchange(changed_, false);
  if (!counts || !from_) {
    from_ = Look{now, bytes};
    steps_ = 0;
    return;
  }
  if (++steps_ < steps_of_a_rate || now <= from_->at) return;
  judge(double(bytes - from_->bytes) / std::chrono::duration<double>(now - from_->at).count());
}

void StreamGrowth::judge(double rate) {
  if (before_ && rate <= *before_ * gain_min) return settle(wanted_ - 1);
  before_ = rate;
  if (wanted_ == most_) return settle(most_);
  ++wanted_;
  changed_ = true;
  from_.reset();
}

void StreamGrowth::settle(std::size_t streams) {
  wanted_ = std::max<std::size_t>(1, std::min(streams, wanted_));
  settled_ = true;
}

}  // namespace ccr::seed
