// Load writes transactions into an active page store whose content can be checked later: every page says which page and commit it is.
//
// run() completes after `seconds`, or with the error that ended the store. A rate holds from the start on: at most rate * time and a
// transaction more, so the least of a run is one transaction. Latency is from commit() to durable. Bounds: clients_max commits at a
// time, pages of a transaction at most transaction_pages_max.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/latency_histogram.h"
#include "engine/active_copy.h"
#include "storage/rate_turn.h"

namespace ccr::engine {

enum class LoadPattern { sequential, random, oltp };

struct LoadOptions {
  std::uint64_t bytes_per_second = 0;  // 0: unlimited
  double seconds = 10;
  LoadPattern pattern = LoadPattern::oltp;
  std::uint32_t transaction_pages = 0;  // 0: the pattern's own: 1 (oltp: 1 to 8)
  std::uint32_t clients = 16;
  PageNumber pages_max = 65536;         // random and oltp stay within these
};

struct LoadReport {
  std::uint64_t commits = 0, bytes = 0;
  double seconds = 0;
  LatencyHistogram latency;
};

// The image of `page` as commit `sequence` of a load wrote it, and whether an image is such a one.
Bytes load_image(PageNumber page, std::uint64_t sequence, std::uint32_t page_size);
bool is_load_image(PageNumber page, ByteView image);

class Load {
 public:
  static constexpr std::uint32_t clients_max = 256, transaction_pages_max = 4096;

  // A commit that was begun then is durable now; its client goes on when this completes.
  using Durable = std::function<Task<void>(Instant begun)>;

  Load(ActiveCopy& active, LoadOptions options, Durable durable = {});
  Task<Result<void>> run();
  void end_now() noexcept { end_ = started_; }
  const LoadReport& report() const noexcept { return report_; }  // its seconds are there when run() has completed
  double seconds() const;                                         // since run() began

 private:
  Task<Result<void>> client(Random random);
  std::vector<PageWrite> transaction(Random& random);

  ActiveCopy& active_;
  LoadOptions options_;
  Durable durable_;
  LoadReport report_;
  storage::TokenBucket rate_;
  Instant started_, end_;
  std::uint64_t sequence_ = 0;
};

}  // namespace ccr::engine
