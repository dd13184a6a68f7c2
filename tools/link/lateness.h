// Lateness: how much later than due deliveries were made, in buckets of 16 us up to 16 ms and one above. It tells whether the
// machine had time for the emulator; a measurement taken while it had not is no measurement. Threads: none.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/clock.h"

namespace ccr::linklab {

class Lateness {
 public:
  void add(Duration late) {
    const std::size_t bucket = static_cast<std::size_t>(std::max<std::int64_t>(late.count(), 0) / bucket_width.count());
    ++buckets_[std::min(bucket, buckets_.size() - 1)];
    ++count_;
    most_ = std::max(most_, late);
  }

  // The upper end of the bucket that holds this share of all deliveries; zero while there are none.
  Duration at_percent(std::uint64_t percent) const {
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
      seen += buckets_[bucket];
      if (seen * 100 >= count_ * percent && seen > 0) return std::min(bucket_width * static_cast<int>(bucket + 1), most_);
    }
    return Duration(0);
  }
  Duration most() const noexcept { return most_; }

 private:
  static constexpr Duration bucket_width{16'000};

  std::array<std::uint64_t, 1024> buckets_{};
  std::uint64_t count_ = 0;
  Duration most_{0};
};

}  // namespace ccr::linklab
