// PassiveSource is a passive copy as a source of pages, for one connection, in a pass that the active node opened.
//
// open() joins a pass at its P: ok once this copy has replayed P, which is waited for for a while; refused where it is not healthy. It pins
// nothing and names no end: both are the active node's. No page leaves whose digest is not that of the table (FAULTS invariant 17):
// ErrorKind::corrupt instead. A read waits for nobody where the page stands still; where replay writes it meanwhile, replay rests for a
// second read. Lifetime: the copy outlives it. Threads: the node's executor.
#pragma once

#include "engine/passive_copy.h"
#include "seed/seed_pages.h"
#include "transport/handshake.h"

namespace ccr::engine {

// What a handshake needs to know of it; not ready where it is no source.
void put_source_facts(const PassiveCopy& copy, transport::ActiveFacts& facts);

class PassiveSource final : public seed::SeedPages {
 public:
  PassiveSource(Clock& clock, PassiveCopy& copy) : clock_(clock), copy_(copy), signature_(copy.state().signature), page_size_(copy.state().page_size) {}

  Task<Result<transport::SeedOffer>> open(std::string node, Position resume_from) override;
  Task<Result<transport::SeedEnd>> finish(std::string node) override;
  Task<Result<void>> release(std::string node) override;
  Result<void> check() const override;  // its files are open, and of the history that it was asked for
  PageNumber page_count() const override;
  std::uint32_t page_size() const override { return page_size_; }
  Digest64 extent_digest(std::uint32_t extent) const override;
  Digest64 page_digest(PageNumber page) const override;
  Task<Result<seed::SeedRead>> read(PageNumber first, std::uint32_t count) override;
  Task<Result<seed::VerifyExtent>> verify(std::uint32_t extent) override;

 private:
  Task<Result<seed::SeedRead>> read_now(PageNumber first, std::uint32_t count, PageNumber& differs);

  Clock& clock_;
  PassiveCopy& copy_;
  Signature signature_;
  std::uint32_t page_size_;
};

}  // namespace ccr::engine
