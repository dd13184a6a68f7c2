// What a pass has to move: decided from digests alone, pure.
//
// A pass compares sums of page digests per extent, then, where that saves bytes, the digests of the pages of an extent that
// differs. Pages of zeros are recognised by their digest and never cross the wire: they are made here. Pages beyond the offered
// count are the log's business. Digests of the source may be younger than P and older than the pages that arrive later; both are
// harmless, since replay from P on brings every page that changed after P again.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "storage/log_format.h"
#include "storage/page_digests.h"

namespace ccr::seed {

// How many extents a target may have asked for and not received yet: enough to keep a gigabit full at 130 ms of round trip, and
// little to send again after a cut.
inline constexpr std::size_t seed_asks_in_flight_max = 16;

// A peer that breaks the rules of a seed.
Error violation(std::string what);

// Pages [first, first + count); count 0 is none.
struct PageRun {
  PageNumber first = 0;
  std::uint32_t count = 0;
  bool operator==(const PageRun&) const = default;
};

// The pages of an extent in a database of page_count pages: short at its end, none beyond it.
PageRun pages_of_extent(std::uint32_t extent, PageNumber page_count, std::uint32_t page_size) noexcept;
std::uint32_t extents_of(PageNumber page_count, std::uint32_t page_size) noexcept;  // also for the largest database

// What a run costs on the wire besides its images: frame header, message header, and the room TLS takes for a record.
inline constexpr std::uint64_t run_overhead_bytes = 160;
static_assert(run_overhead_bytes < storage::page_size_min);

// One bit for each page of an extent, in the wire's order: bit i of byte i/8 is page i of the extent.
class PageBits {
 public:
  explicit PageBits(std::uint32_t pages = 0) : pages_(pages), bytes_((pages + 7) / 8) {}
  // ErrorKind::protocol when the length does not fit or a bit beyond `pages` is set.
  static Result<PageBits> decode(std::uint32_t pages, ByteView bytes);

  void set(std::uint32_t index);
  void set_all();
  bool test(std::uint32_t index) const;
  std::uint32_t count() const noexcept;  // of bits that are set
  std::uint32_t size() const noexcept { return pages_; }
  bool all() const noexcept { return count() == pages_; }
  bool none() const noexcept { return count() == 0; }
  const Bytes& bytes() const noexcept { return bytes_; }

  // The runs of set bits, in rising order, as pages of an extent that starts at `first`. Two runs with at most gap_max clear bits
  // between them are one.
  std::vector<PageRun> runs(PageNumber first, std::uint32_t gap_max = 0) const;

 private:
  std::uint32_t pages_;
  Bytes bytes_;
};

enum class ExtentVerdict : std::uint8_t {
  equal,   // nothing to do
  zeros,   // the source's extent is all zeros: make it so here
  whole,   // ask for the extent as it is
  narrow,  // ask for its page digests first
};

struct ExtentFacts {
  Digest64 own = 0;  // sums over the same pages
  Digest64 offered = 0;
  Digest64 zeros = 0;
  bool own_counts = true;  // false: a full seed, what is here is not believed
};

// An extent that is all zeros here (a new file, a grown one) has nothing that narrowing could save: it is asked for whole.
ExtentVerdict judge_extent(const ExtentFacts& facts) noexcept;

struct PagePlan {
  PageBits ask;    // pages that come from the source; all() asks for the whole extent
  PageBits zeros;  // pages that become zeros here without being asked for
};

// own: digests of the extent's pages here, [0] being that of page `first`. offered: the source's, which may be fewer (it shrank) or
// more (it grew). of_zeros: the digest of a page of zeros with a number. Exactly the pages that differ are asked for: a run of them
// costs at most run_overhead_bytes more than its images, and every gap between two runs saves at least a page.
PagePlan plan_pages(PageNumber first, std::span<const Digest64> own, std::span<const Digest64> offered,
                    const std::function<Digest64(PageNumber)>& of_zeros);

Digest64 sum_of(std::span<const Digest64> digests) noexcept;

}  // namespace ccr::seed
