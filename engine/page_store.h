// PageStore is the embedded page store's way into the log: programs commit pages, the engine takes them as a LogSource.
//
// commit() completes when its pages are durable in the log (group commit: many commits share one sync), or with the error that ended the
// log; nothing is acknowledged after that. Commits become durable in the order of the calls.
// Lifetime: fail() or close() before destruction ends every waiting commit. Threads: the node's executor only.
// Bounds: queued_bytes_max of images wait for the log; commit() waits beyond that.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/signal.h"
#include "storage/log_source.h"

namespace ccr::engine {

struct PageWrite {
  PageNumber page = 0;
  Bytes image;  // page_size bytes
};

class PageStore final : public storage::LogSource {
 public:
  static constexpr std::size_t queued_bytes_max = 32 * MiB;

  PageStore(const Executor& executor, Clock& clock, std::uint32_t page_size, PageNumber page_count);

  // Pages above the present count make the database grow; pages in between that were never written are zeros. ErrorKind::usage for page
  // 0, a page given twice, or an image of another size.
  Task<Result<void>> commit(std::vector<PageWrite> pages);
  PageNumber page_count() const noexcept { return page_count_; }

  void fail(Error error);

  // LogSource
  std::uint32_t page_size() const override { return page_size_; }
  Task<Result<storage::SourceItem>> next() override;
  Task<Result<std::span<const storage::Page>>> next_pages() override;
  bool ready() const override { return !queue_.empty(); }
  void settled(const storage::SourceCursor& cursor) override;
  void read_pages(std::uint64_t request, PageNumber first, std::uint32_t count) override;
  void catch_up(std::vector<PageNumber> pages) override;
  void base() override;
  Gauges gauges() const override;
  Task<void> close() override;

 private:
  struct Commit {
    explicit Commit(const Executor& executor) : done(executor) {}
    std::vector<PageWrite> pages;
    PageNumber page_count = 0;
    std::uint64_t sequence = 0;
    std::size_t bytes = 0;
    bool durable = false;
    Signal done;
  };

  Result<void> check(const std::vector<PageWrite>& pages) const;

  Executor executor_;
  Clock& clock_;
  std::uint32_t page_size_;
  PageNumber page_count_;
  Signal changed_;
  std::deque<std::shared_ptr<Commit>> queue_;      // not yet taken
  std::deque<std::shared_ptr<Commit>> in_flight_;  // taken, not yet durable
  std::shared_ptr<Commit> current_;
  std::vector<storage::Page> current_pages_;  // its pages, as they were handed out
  std::size_t queued_bytes_ = 0;
  std::uint64_t sequence_ = 0;
  std::optional<Error> failed_;
};

}  // namespace ccr::engine
