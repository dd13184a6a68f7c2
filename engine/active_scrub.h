// An active copy as its scrub, its repairs and other nodes' repairs see it.
//
// A page store's file is ccr's own: it is read beside its replay, and a rotten page comes from a passive copy. An SQLite file is its programs': it
// is read through the source, in the order of its commits, and a page that rotted there is told and not touched. Lifetime: not longer than the
// ActiveCopy; calls come from tasks of its group.
#pragma once

#include "engine/active_copy.h"

namespace ccr::engine {

class ActiveScrub final : public ScrubTarget, public OwnPages, public PageGiver {
 public:
  ActiveScrub(ActiveCopy& active, CopyPaths paths) : active_(active), paths_(std::move(paths)) {}

  // ScrubTarget
  bool readable() const override { return active_.ready() && active_.comparable(); }
  PageNumber page_count() const override { return active_.ready() ? active_.digests().page_count() : 0; }
  Position moved() const override { return active_.tip().durable; }
  Task<Result<ExtentLook>> look(PageNumber first) override;
  Task<Result<bool>> set_aside(PageNumber page) override;
  Task<Result<RepairOutcome>> repair(PageNumber page) override;
  Task<Result<void>> waits(PageNumber page) override { return active_.damaged(page); }
  Task<Result<void>> repaired(PageNumber page) override { return active_.repaired(page); }
  Task<Result<void>> lost(PageNumber page, std::string) override { return active_.damaged(page); }
  Task<Result<void>> passed(WallTime) override { return active_.undamaged(); }

  // OwnPages, of a page store
  Task<Result<void>> hold() override { return active_.hold(); }
  void release() override { active_.release(); }
  Task<Result<void>> catch_up() override;
  storage::PageFile& file() override { return *active_.page_file(); }
  const storage::PageDigests& digests() const override { return active_.digests(); }
  Position position() const override { return active_.tip().durable; }

  // PageGiver
  Task<Result<PageGiven>> give(transport::PageAsk ask) override;

 private:
  bool own_file() const { return active_.page_file() != nullptr; }
  RepairPlace place() const;
  Task<Result<ExtentLook>> look_through_source(PageNumber first);
  Task<Result<PageGiven>> give_from_source(transport::PageAsk ask);

  ActiveCopy& active_;
  CopyPaths paths_;
};

}  // namespace ccr::engine
