// A passive copy as its scrub, its repairs and other nodes' repairs see it. Part of PassiveCopy.
//
// Only where log is followed: what rests (suspended, failed) is nobody's to change but a person's, and what is seeded has no page yet that must be
// something. So a call comes from a task of the follow phase, or of the phase's group, and the files outlive it.
#pragma once

#include "engine/passive_copy.h"
#include "engine/passive_files.h"

namespace ccr::engine {

class PassiveCopy::Scrubbed final : public ScrubTarget, public OwnPages, public PageGiver {
 public:
  explicit Scrubbed(PassiveCopy& copy) : copy_(copy) {}
  bool proven() const;  // it follows, and its pages are those of a commit

  // ScrubTarget
  bool readable() const override { return proven() && !copy_.verifying_; }
  PageNumber page_count() const override { return copy_.files_ ? copy_.files_->digests->page_count() : 0; }
  Position moved() const override { return copy_.keeper_.state().min_required; }
  Task<Result<ExtentLook>> look(PageNumber first) override { return look_at_extent(copy_.context_.clock, *this, first); }
  Task<Result<bool>> set_aside(PageNumber page) override { return set_aside_rotten(place(), *this, page); }
  Task<Result<RepairOutcome>> repair(PageNumber page) override { return repair_page(place(), *this, page); }
  Task<Result<void>> waits(PageNumber) override { co_return Result<void>(); }
  Task<Result<void>> repaired(PageNumber) override { co_return Result<void>(); }
  Task<Result<void>> lost(PageNumber page, std::string cause) override;
  Task<Result<void>> passed(WallTime began) override;

  // OwnPages
  Task<Result<void>> hold() override;
  void release() override { held_.pop_back(); }
  Task<Result<void>> catch_up() override { co_return Result<void>(); }
  storage::PageFile& file() override { return *copy_.files_->pages; }
  const storage::PageDigests& digests() const override { return *copy_.files_->digests; }
  Position position() const override { return copy_.files_->replayer->position(); }

  // PageGiver
  Task<Result<PageGiven>> give(transport::PageAsk ask) override;

 private:
  RepairPlace place() const { return {copy_.context_, copy_.database_, copy_.keeper_.state().signature, copy_.paths_.log_directory}; }
  Error not_proven() const;

  PassiveCopy& copy_;
  std::vector<PagesHeld> held_;  // all of them hold the same
};

}  // namespace ccr::engine
