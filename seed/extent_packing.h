// ExtentPacking packs the pages of a seed's answers on the CPU pool, or leaves them as they are: what a seed's connection and this
// node's processor do right now decides (transport/compression_plan.h).
//
// Runs below run_bytes_min, and runs that do not shrink by a sixteenth, stay as they are. Completion: pack() when every message of
// the answer is in its last form. Failure: none; where memory is missing pages stay as they are. Lifetime: clock and pool outlive
// it. Threads: the node's executor; pack() from several tasks at once, each on its own answer. Bounds: one context for each call
// under way.
#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/cpu_pool.h"
#include "transport/compression_plan.h"
#include "transport/messages.h"
#include "transport/page_packing.h"

namespace ccr::seed {

class ExtentPacking {
 public:
  static constexpr std::size_t run_bytes_min = 2 * KiB;

  // The packed bytes that messages view, and what they took.
  struct Packed {
    std::vector<Bytes> bytes;
    Duration took{0};
  };

  ExtentPacking(Clock& clock, CpuPool& cpu, transport::CompressionSetting setting);

  Task<void> pack(std::vector<transport::Message>& answer, Packed& packed);
  // One message of an answer went out. `took`: the packing of the answer, told with one of its messages.
  void sent(const transport::Message& message, std::uint64_t wire_bytes, Duration took, Duration sending);

 private:
  Clock& clock_;
  CpuPool& cpu_;
  transport::CompressionPlan plan_;
  std::vector<std::unique_ptr<transport::PagePacker>> free_;
};

// The message as ExtentPages; its images view `unpacker`, until its next call.
Result<transport::ExtentPages> unpack_extent(const transport::ExtentPacked& message, transport::PageUnpacker& unpacker);

}  // namespace ccr::seed
