#include "base/latency_histogram.h"

#include <bit>

namespace ccr {

void LatencyHistogram::add(Duration latency) {
  const std::uint64_t us = std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::microseconds>(latency).count());
  // From `steps` on: how often to halve until it is one of the numbers from `steps` to twice that, and which one. 2^5 = steps.
  const int halvings = us < steps ? 0 : std::bit_width(us) - 6;
  const std::size_t bucket = us < steps ? us : std::size_t(halvings + 1) * steps + ((us >> halvings) & (steps - 1));
  ++buckets_[std::min(bucket, buckets_.size() - 1)];
  ++count_;
  least_ = std::min(least_, us);
  most_ = std::max(most_, us);
}

void LatencyHistogram::add(const LatencyHistogram& other) {
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) buckets_[bucket] += other.buckets_[bucket];
  count_ += other.count_;
  least_ = std::min(least_, other.least_);
  most_ = std::max(most_, other.most_);
}

std::uint64_t LatencyHistogram::percentile(double fraction) const {
  std::uint64_t left = static_cast<std::uint64_t>(fraction * static_cast<double>(count_));
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    if (buckets_[bucket] > left) {
      if (bucket < steps) return bucket;
      return (std::uint64_t(steps) | (bucket % steps)) << (bucket / steps - 1);
    }
    left -= buckets_[bucket];
  }
  return 0;
}

LatencySummary LatencyHistogram::summary() const {
  if (count_ == 0) return {};
  return {count_, least_, percentile(0.5), percentile(0.9), percentile(0.99), percentile(0.999), most_};
}

}  // namespace ccr
