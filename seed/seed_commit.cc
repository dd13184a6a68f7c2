#include "seed/seed_commit.h"

#include <utility>

#include "seed/seed_plan.h"

namespace ccr::seed {

SeedCommitter::SeedCommitter(Signal& changed, storage::PageFile& file, storage::PageDigests& digests, SeedMap& map,
                             const SeedCounts& counts)
    : file_(file), digests_(digests), map_(map), counts_(counts), changed_(changed) {}

void SeedCommitter::add(FinishedExtent extent) {
  CCR_ASSERT(!ended_);
  CCR_ASSERT(extent.extent < map_.extents());
  batch_bytes_ += extent.written_bytes;
  batch_.push_back(std::move(extent));
  if (due()) changed_.notify();
}

void SeedCommitter::tick() {
  ticked_ = true;
  changed_.notify();
}

void SeedCommitter::end() {
  ended_ = true;
  changed_.notify();
}

bool SeedCommitter::full() const noexcept {
  return batch_bytes_ + committing_bytes_ >= backlog_bytes_max || batch_.size() >= 2 * batch_extents;
}

bool SeedCommitter::due() const noexcept {
  return ended_ || batch_bytes_ >= batch_bytes || batch_.size() >= batch_extents || (ticked_ && !batch_.empty());
}

Task<Result<void>> SeedCommitter::run() {
  for (;;) {
    while (!due()) co_await changed_.wait();
    const bool last = ended_;
    CCR_CO_TRY(co_await commit());
    if (last) co_return Result<void>();
  }
}

Task<Result<void>> SeedCommitter::commit() {
  const std::vector<FinishedExtent> batch = std::exchange(batch_, {});
  committing_bytes_ = std::exchange(batch_bytes_, 0);
  ticked_ = false;
  const Result<void> synced = co_await file_.sync();
  if (!synced.ok()) {
    sync_failed_ = true;
    co_return synced.error().within("sync of " + file_.path());
  }
  std::vector<storage::FilePart> written;
  for (const FinishedExtent& extent : batch) {
    const PageRun pages = pages_of_extent(extent.extent, digests_.page_count(), digests_.page_size());
    CCR_ASSERT(extent.digests.empty() || extent.digests.size() == pages.count);
    if (extent.written_bytes > 0) written.push_back(file_.part(pages.first, pages.count));
    for (std::size_t i = 0; i < extent.digests.size(); ++i)
      digests_.set(static_cast<PageNumber>(pages.first + i), extent.digests[i]);
  }
  CCR_CO_TRY(co_await file_.forget(std::move(written)));
  CCR_CO_TRY(co_await digests_.flush());
  for (const FinishedExtent& extent : batch) map_.mark(extent.extent);
  CCR_CO_TRY(co_await map_.flush(counts_));
  committing_bytes_ = 0;
  changed_.notify();
  co_return Result<void>();
}

}  // namespace ccr::seed
