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
  if (before_ && rate <= *before_ * gain_min) return settle();
  before_ = rate;
  settled_ = wanted_ == most_;
  if (settled_) return;
  ++wanted_;
  measure_anew();
}

void StreamGrowth::measure_anew() noexcept {
  changed_ = true;
  from_.reset();
}

void StreamGrowth::change(std::size_t least, std::size_t most) {
  CCR_ASSERT(least >= 1 && least <= most);
  most_ = most;
  wanted_ = std::clamp(wanted_, least, most);
  settled_ = least == most;
  before_.reset();
  measure_anew();
}

void StreamGrowth::lost(Instant now) {
  measure_anew();
  if (now < open_after_) return;  // one cut took several
  const bool soon = now - open_after_ <= pause_max;  // since it could come back
  pause_ = soon ? std::clamp(2 * pause_, pause_min, pause_max) : pause_min;
  open_after_ = now + pause_;
}

void StreamGrowth::settle() {
  wanted_ = std::max<std::size_t>(1, wanted_ - 1);
  settled_ = true;
}

}  // namespace ccr::seed
