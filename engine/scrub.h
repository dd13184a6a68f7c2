// Scrub reads the page file of one copy against its digests, slowly and again and again, and has rotten pages repaired.
//
// run() is its work while a copy's files are open: it goes on where the last one stood (the copy's state has the place, saved with all else, and at least
// each extents_unsaved_max extents and once in unsaved_time_max), waits for the turn that engine/scrub_pace.h names, and reads one extent. At a page
// that rotted it stays until the page is repaired, or cannot be: so no pass ends with a page that may still be helped, and none is passed over by
// a restart. It ends when it is stopped, or with an error of this node's disk. What a person asks for (begin, relax, mend) may come at any time, also
// while no run() does; it is kept until one does, and begin() is not kept over a restart. An event says what was found and done.
// Lifetime: as long as the node; longer than any run(). Threads: the node's executor. Bounds: pages_rotten_max a pass; one try to repair at a time, with
// pauses from retry_pause_min to retry_pause_max; one extent in memory, and none while it waits.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/signal.h"
#include "engine/page_repair.h"
#include "engine/scrub_pace.h"
#include "engine/state_keeper.h"

namespace ccr::engine {

// The copy that is scrubbed. Each call may return busy (later), or the error of a disk, which ends the run.
class ScrubTarget {
 public:
  virtual ~ScrubTarget() = default;
  virtual bool readable() const = 0;      // its pages are what the table speaks of, and nobody else reads them all
  virtual PageNumber page_count() const = 0;
  virtual Position moved() const = 0;     // another one when the copy did something
  virtual Task<Result<ExtentLook>> look(PageNumber first) = 0;
  virtual Task<Result<bool>> set_aside(PageNumber page) = 0;    // as set_aside_rotten()
  virtual Task<Result<RepairOutcome>> repair(PageNumber page) = 0;
  virtual Task<Result<void>> waits(PageNumber page) = 0;                    // it is rotten, and a later try may help
  virtual Task<Result<void>> repaired(PageNumber page) = 0;                 // or healed
  virtual Task<Result<void>> lost(PageNumber page, std::string cause) = 0;  // durable at completion
  virtual Task<Result<void>> passed(WallTime began) = 0;                    // a pass ended that left nothing rotten
};

struct ScrubPass {
  std::uint64_t number = 0;  // of those that this node began, from 1
  std::uint64_t pages = 0;   // of the copy
  std::uint64_t rotten = 0, repaired = 0, lost = 0;  // since it began, or since the node started
};

class Scrub {
 public:
  static constexpr std::uint64_t extents_unsaved_max = 64;
  static constexpr Duration unsaved_time_max = std::chrono::hours(1);
  static constexpr Duration retry_pause_min = std::chrono::seconds(1), retry_pause_max = std::chrono::minutes(1);
  static constexpr std::uint64_t pages_rotten_max = 1000;  // of one pass: beyond it a seed is cheaper than single pages
  static constexpr int mend_tries_max = 3;

  Scrub(NodeContext& context, std::string subject);

  Task<Result<void>> run(ScrubTarget& target, StateKeeper& keeper);

  // A whole pass from the first page on, at once; or another rate for the one that was asked for. 0: no limit. Its number.
  std::uint64_t begin(std::uint64_t bytes_per_second_max);
  void relax();  // the pass that was asked for goes on as any other
  // Repairs pages that another reader of the file found rotten; completes with those that are sound now, after a few tries, or at once with none
  // where no run() does.
  Task<std::vector<PageNumber>> mend(std::vector<PageNumber> pages);

  bool running() const noexcept { return target_ != nullptr; }
  bool asked() const noexcept { return asked_.has_value(); }
  const storage::ScrubProgress& progress() const noexcept { return now_; }  // of the last run, as far as it is
  const ScrubPass& pass() const noexcept { return pass_; }                  // under way
  const ScrubPass& last_pass() const noexcept { return last_pass_; }
  PageNumber page_count() const { return target_ != nullptr ? target_->page_count() : 0; }
  std::uint32_t page_size() const noexcept { return page_size_; }
  const std::string& waiting() const noexcept { return waiting_; }  // why a rotten page is not repaired yet; empty: none waits
  std::uint64_t bytes_per_second() const;                           // the limit now
  bool overdue() const;

 private:
  struct Mending {
    std::vector<PageNumber> pages, sound;
    bool done = false;
  };
  class Running;

  ScrubFacts facts();
  bool wanted(std::uint64_t seen) const noexcept { return wishes_ != seen; }
  Task<void> wait_for_turn();
  Task<Result<void>> serve_turn();  // busy: later
  Task<Result<void>> take_turn();
  Task<Result<void>> open_pass();
  Task<Result<void>> end_pass();
  Task<Result<void>> settle(PageNumber page);
  Task<Result<void>> lose(PageNumber page, RepairOutcome outcome);
  Task<Result<Repair>> attempt(PageNumber page, RepairOutcome& outcome);
  Task<Result<void>> serve_mending();
  Task<Result<void>> save();
  void wish();

  NodeContext& context_;
  std::string subject_;
  Signal changed_;
  std::uint64_t wishes_ = 0;
  std::optional<std::uint64_t> asked_;  // bytes a second
  bool restart_ = false;
  std::deque<std::shared_ptr<Mending>> mendings_;
  storage::ScrubProgress now_;
  ScrubPass pass_, last_pass_;
  std::uint64_t passes_ = 0;
  std::string waiting_;
  // Of the run:
  ScrubTarget* target_ = nullptr;
  StateKeeper* keeper_ = nullptr;
  std::uint32_t page_size_ = 0;
  Instant last_turn_, earliest_, saved_at_;
  std::uint64_t unsaved_ = 0;
  Position seen_;
};

}  // namespace ccr::engine
