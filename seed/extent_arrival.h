// ExtentArrival is one extent on its way: what was asked for, what came, and what must be written once it is complete. Pure.
//
// Nothing is written before the last message of the ask is here, so an extent that was cut off leaves no trace on the disk. Pages
// that were asked for and did not come are zeros (seed/seed_source.h). Bounds: one buffer of an extent, lent by the owner.
#pragma once

#include <vector>

#include "seed/seed_map.h"
#include "seed/seed_plan.h"
#include "transport/messages.h"

namespace ccr::seed {

class ExtentArrival {
 public:
  struct Own {
    std::vector<Digest64> digests;  // of what is here; empty: not known, everything that comes is written
    bool in_table = true;           // the digest table says so too
  };

  ExtentArrival(std::uint32_t extent, PageRun pages, std::uint32_t page_size, Own own, AlignedBuffer buffer);

  void ask_all();
  void ask(const PagePlan& plan);
  transport::ExtentAsk message() const;
  bool asks() const noexcept { return !ask_.none(); }
  // Whoever was asked is gone: as it was before the first ask.
  void begin_again();

  // Takes the pages of one message, or says what is wrong with it (protocol; refused when it is older than P).
  Result<void> take(const transport::ExtentPages& message, const SeedPassId& pass);
  bool complete() const noexcept { return complete_; }
  // After the last message, or when nothing was asked for: pages that did not come become zeros.
  void end_of_ask();

  std::uint32_t extent() const noexcept { return extent_; }
  PageRun pages() const noexcept { return pages_; }
  const Own& own() const noexcept { return own_; }
  std::vector<PageRun> writes() const { return write_.runs(pages_.first); }  // runs to write, once complete
  ByteView images(const PageRun& run) const;
  std::uint64_t write_bytes() const noexcept { return std::uint64_t(write_.count()) * page_size_; }
  // The digests of all its pages as they are after the writes; empty when the table holds them already.
  std::vector<Digest64> digests() const;

 private:
  void put(std::uint32_t index, ByteView image);

  std::uint32_t extent_;
  PageRun pages_;
  std::uint32_t page_size_;
  Own own_;
  AlignedBuffer buffer_;
  PageBits ask_, zeros_, arrived_, write_;
  std::vector<Digest64> digests_;
  bool complete_ = false;
};

}  // namespace ccr::seed
