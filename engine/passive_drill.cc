// What a drill does to a passive copy on purpose: its seed loses the connection, or its disk a bit.
#include "engine/passive_copy.h"
#include "engine/passive_files.h"

namespace ccr::engine {

bool PassiveCopy::cut_seed() { return seed_target_ != nullptr && seed_target_->cut(); }

SeedCuts PassiveCopy::seed_cuts() const {
  SeedCuts cuts = seed_cuts_;
  if (seed_target_ == nullptr) return cuts;
  cuts.count += seed_target_->counters().streams_lost;
  cuts.extents_again += seed_target_->counters().extents_again;
  return cuts;
}

// Below the digests, as rot is: they go on saying what the page should be. Nobody may say of this disk any more that it was verified.
Task<Result<RottenBit>> PassiveCopy::rot() {
  storage::CopyState& state = keeper_.state();
  const std::string subject = subject_of(database_, context_.config.node);
  const bool whole = files_ && state.seeded && state.seed.source.empty() && !state.suspended && !state.failed;
  if (!whole) {
    co_return Error{ErrorKind::refused, subject + " is " + std::string(title_of(standing_.state())) + ": only a copy that is whole is damaged on purpose",
                    "ccr wait " + subject + " --for healthy"};
  }
  if (verifying_) co_return Error{ErrorKind::busy, "a verification of " + subject + " is running", "wait for its end"};
  state.disk_verified_at = WallTime{};
  CCR_CO_TRY(co_await keeper_.save());
  const std::shared_ptr<PassiveFiles> files = files_;
  const Result<PagesHeld> held = co_await hold_pages();
  if (!held.ok()) co_return held.error();
  storage::PageFile& pages = *files->pages;
  if (pages.page_count() == 0) co_return Error{ErrorKind::refused, subject + " has no page", ""};
  RottenBit rotten;
  rotten.page = static_cast<PageNumber>(context_.random.between(1, pages.page_count()));
  rotten.bit = static_cast<std::uint32_t>(context_.random.below(std::uint64_t(pages.page_size()) * 8));
  AlignedBuffer image(pages.page_size());
  CCR_CO_TRY(co_await pages.read(rotten.page, 1, image.span()));
  image.span()[rotten.bit / 8] ^= std::byte(1u << (rotten.bit % 8));
  const Event event{"page_rotted", subject, {{"page", std::to_string(rotten.page)}, {"bit", std::to_string(rotten.bit)}}};
  context_.trace.record(event);
  CCR_CO_TRY(co_await pages.write(rotten.page, image.view()));
  CCR_CO_TRY(co_await pages.sync());
  co_return rotten;
}

}  // namespace ccr::engine
