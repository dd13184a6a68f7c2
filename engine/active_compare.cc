// How an active SQLite copy compares its file with its digest table, extent by extent, in the order of the source's items.
//
// scanning: continuity holds but the table is missing; commits flow and set their own pages, the scan sets the others. lost: what was
// written meanwhile is unknown; pages whose digest differs, and those touched since, become one catch-up commit, or, above the limit, a base
// marker after which every copy takes the difference.
#include <algorithm>
#include <utility>

#include "engine/active_copy.h"

namespace ccr::engine {

void ActiveCopy::begin_compare(Comparing how, std::string reason) {
  comparing_ = how;
  lost_reason_ = std::move(reason);
  scanned_.clear();
  differing_.clear();
  compare_reads_.clear();
  compare_next_ = 1;
  compare_end_seen_ = false;
  standing_.enter(State::initializing, "comparing page digests with the file: " + lost_reason_);
  const Event event{"compare_started", subject_of(database_, context_.config.node), {{"reason", lost_reason_}}};
  context_.trace.record(event);
  ask_compare();
}

void ActiveCopy::ask_compare() {
  const std::uint32_t extent = storage::pages_per_extent(digests_->page_size());
  while (!compare_end_seen_ && compare_reads_.size() < compare_reads_max) {
    const std::uint64_t id = next_read_++;
    compare_reads_.insert(id);
    source_->read_pages(id, compare_next_, extent);
    compare_next_ += extent;
  }
  if (compare_end_seen_ && compare_reads_.empty()) finish_compare();
}

void ActiveCopy::compare_pages(const storage::SourcePages& pages) {
  const std::uint32_t page_size = digests_->page_size();
  if (comparing_ == Comparing::scanning && digests_->page_count() != pages.page_count) digests_->resize(pages.page_count);
  if (comparing_ == Comparing::lost && scanned_.size() < pages.page_count) scanned_.resize(pages.page_count);
  for (std::uint32_t i = 0; i < pages.count; ++i) {
    const PageNumber page = pages.first + i;
    const Digest64 digest = page_digest(page, pages.images.view().subspan(std::size_t(i) * page_size, page_size));
    if (comparing_ == Comparing::scanning) {
      digests_->set(page, digest);
      continue;
    }
    scanned_[page - 1] = digest;
    if (!digests_whole_ || page > digests_->page_count() || digests_->at(page) != digest) differing_.push_back(page);
  }
  if (comparing_ == Comparing::scanning) overlay_->restart();
  if (pages.first + pages.count > pages.page_count || pages.count == 0) compare_end_seen_ = true;
  ask_compare();
}

void ActiveCopy::finish_compare() {
  if (comparing_ == Comparing::scanning) {
    comparing_ = Comparing::no;
    digests_whole_ = true;
    enter_mounted();
    publish_tip();
    changed_.notify();
    return;
  }
  const std::uint64_t bytes = std::uint64_t(differing_.size()) * digests_->page_size();
  if (digests_whole_ && log_->durable_commit() > 0 && bytes <= database_.catch_up_limit_bytes) {
    source_->catch_up(differing_);
  } else {
    source_->base();
  }
}

void ActiveCopy::install_scan() {
  digests_->resize(static_cast<PageNumber>(scanned_.size()));
  for (std::size_t i = 0; i < scanned_.size(); ++i) digests_->set(static_cast<PageNumber>(i + 1), scanned_[i]);
  overlay_->restart();
  scanned_.clear();
  scanned_.shrink_to_fit();
}

}  // namespace ccr::engine
