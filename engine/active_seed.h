// ActiveSeed is an active copy as the source of seeds and of verification, for one connection.
//
// No page leaves whose digest is not that of the table (FAULTS invariant 17): read() answers ErrorKind::corrupt instead, and the copy's
// standing then says so. Bounds: a page that is being written is read proof_reads_max times, then with commits held.
#pragma once

#include "engine/active_copy.h"
#include "seed/seed_pages.h"

namespace ccr::engine {

class ActiveSeed final : public seed::SeedPages {
 public:
  enum class Part {
    opens,  // a pass: pins its log, names its end
    joins,  // one that stands: a further stream of it
  };

  ActiveSeed(ActiveCopy& active, Part part) : active_(active), part_(part) {}

  Task<Result<transport::SeedOffer>> open(std::string node, Position resume_from) override;
  // Of a pass whose first connection this is; refused where it joined one.
  Task<Result<transport::SeedEnd>> finish(std::string node) override;
  Task<Result<void>> release(std::string node) override;
  PageNumber page_count() const override { return active_.digests().page_count(); }
  std::uint32_t page_size() const override { return active_.digests().page_size(); }
  Digest64 extent_digest(std::uint32_t extent) const override { return active_.digests().extent(extent); }
  Digest64 page_digest(PageNumber page) const override { return active_.digests().at(page); }
  Task<Result<seed::SeedRead>> read(PageNumber first, std::uint32_t count) override;
  Task<Result<seed::VerifyExtent>> verify(std::uint32_t extent) override;

 private:
  Task<Result<ActiveCopy::PagesRead>> read_proven(PageNumber first, std::uint32_t count);
  Task<Result<void>> read_again(PageNumber first, std::uint32_t count, ActiveCopy::PagesRead& pages);
  Task<Result<void>> count_verified(const seed::VerifyExtent& extent, PageNumber first);

  ActiveCopy& active_;
  Part part_;
  std::uint32_t extents_verified_ = 0;  // whose pages were all what the table says
};

}  // namespace ccr::engine
