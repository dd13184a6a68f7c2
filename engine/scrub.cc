#include "engine/scrub.h"

#include <algorithm>
#include <utility>

#include "base/timeout.h"

namespace ccr::engine {

Scrub::Scrub(NodeContext& context, std::string subject) : context_(context), subject_(std::move(subject)), changed_(context.executor) {}

// What a run leaves behind, however it ends: nobody waits for it any more.
class Scrub::Running {
 public:
  Running(Scrub& scrub, ScrubTarget& target, StateKeeper& keeper) : scrub_(scrub) {
    CCR_ASSERT(scrub.target_ == nullptr);
    scrub.target_ = &target;
    scrub.keeper_ = &keeper;
    scrub.page_size_ = keeper.state().page_size;
    scrub.now_ = keeper.state().scrub;
  }
  ~Running() {
    for (const std::shared_ptr<Mending>& mending : scrub_.mendings_) mending->done = true;
    scrub_.mendings_.clear();
    scrub_.waiting_.clear();
    scrub_.target_ = nullptr;
    scrub_.keeper_ = nullptr;
    scrub_.changed_.notify();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Scrub& scrub_;
};

Task<Result<void>> Scrub::run(ScrubTarget& target, StateKeeper& keeper) {
  const Running running(*this, target, keeper);
  const ScrubConfig& config = context_.config.scrub;
  last_turn_ = saved_at_ = earliest_ = context_.clock.now();
  // Many databases of one node do not begin all at once.
  constexpr int spread_part = 100;
  const Duration spread = std::min(config.every / spread_part, extent_pause_max);
  if (spread > Duration::zero()) earliest_ = earliest_ + Duration(static_cast<std::int64_t>(context_.random.below(static_cast<std::uint64_t>(spread.count()))));
  for (;;) {
    co_await wait_for_turn();
    const Result<void> turn = co_await serve_turn();
    if (turn.ok()) continue;
    if (turn.error().kind != ErrorKind::busy) co_return turn.error();
    co_await context_.clock.sleep(retry_pause_min);  // the pages cannot be read now; nothing was passed over
  }
}

// --- what a person asks for ------------------------------------------------------------------------------------------------

void Scrub::wish() {
  ++wishes_;
  changed_.notify();
}

std::uint64_t Scrub::begin(std::uint64_t bytes_per_second_max) {
  if (!asked_) {
    restart_ = true;
    ++passes_;
  }
  asked_ = bytes_per_second_max;
  wish();
  return passes_;
}

void Scrub::relax() {
  asked_.reset();
  wish();
}

Task<std::vector<PageNumber>> Scrub::mend(std::vector<PageNumber> pages) {
  auto mending = std::make_shared<Mending>();
  mending->pages = std::move(pages);
  if (target_ == nullptr || mending->pages.empty()) co_return mending->sound;
  mendings_.push_back(mending);
  wish();
  while (!mending->done) co_await changed_.wait();
  co_return mending->sound;
}

// --- turns -----------------------------------------------------------------------------------------------------------------

std::uint64_t Scrub::bytes_per_second() const { return asked_ ? *asked_ : context_.config.scrub.bytes_per_second; }

bool Scrub::overdue() const { return scrub_overdue(now_.began, now_.finished, context_.clock.wall_now(), context_.config.scrub.every); }

ScrubFacts Scrub::facts() {
  const ScrubConfig& config = context_.config.scrub;
  const Position moved = target_->moved();
  ScrubFacts facts;
  facts.asked = asked_.has_value();
  facts.blocked = !target_->readable();
  facts.only_idle = config.only_idle;
  facts.busy = std::exchange(seen_, moved) != moved;
  facts.every = config.every;
  facts.bytes_per_second = bytes_per_second();
  facts.open = now_.next_page != 0 && !restart_;
  facts.began = now_.began;
  facts.now = context_.clock.wall_now();
  facts.since_last = context_.clock.now() - last_turn_;
  const std::uint32_t per_extent = page_size_ == 0 ? 1 : storage::pages_per_extent(page_size_);
  const PageNumber count = target_->page_count();
  if (facts.open && count >= now_.next_page) facts.extents_left = (count - now_.next_page) / per_extent + 1;
  return facts;
}

Task<void> Scrub::wait_for_turn() {
  for (;;) {
    if (!mendings_.empty()) co_return;
    const Instant now = context_.clock.now();
    Duration pause = scrub_pause(facts());
    if (!asked_ && now < earliest_) pause = std::max(pause, earliest_ - now);
    if (pause <= Duration::zero()) co_return;
    const auto asked_more = [this, seen = wishes_] { return wanted(seen); };
    co_await wait_for(context_.clock, pause, changed_, asked_more);
  }
}

Task<Result<void>> Scrub::serve_turn() {
  if (mendings_.empty()) co_return co_await take_turn();
  co_return co_await serve_mending();
}

Task<Result<void>> Scrub::take_turn() {
  last_turn_ = context_.clock.now();
  if (now_.next_page == 0 || restart_) CCR_CO_TRY(co_await open_pass());
  const std::uint64_t number = pass_.number;
  const Result<ExtentLook> look = co_await target_->look(now_.next_page);
  if (!look.ok()) co_return look.error();
  for (const PageNumber page : look->rotten) CCR_CO_TRY(co_await settle(page));
  CCR_ASSERT(number == pass_.number && look->next >= now_.next_page);
  pass_.pages = look->page_count;
  if (look->next > look->page_count) co_return co_await end_pass();
  now_.next_page = static_cast<PageNumber>(look->next);
  keeper_->state().scrub = now_;  // goes with whatever is saved
  const bool due = ++unsaved_ >= extents_unsaved_max || context_.clock.now() - saved_at_ >= unsaved_time_max;
  if (due) co_return co_await save();
  co_return Result<void>();
}

Task<Result<void>> Scrub::open_pass() {
  if (!std::exchange(restart_, false)) ++passes_;
  pass_ = ScrubPass{};
  pass_.number = passes_;
  now_.next_page = 1;
  now_.began = context_.clock.wall_now();
  co_return co_await save();
}

Task<Result<void>> Scrub::end_pass() {
  now_.next_page = 0;
  now_.finished = context_.clock.wall_now();
  last_pass_ = pass_;
  if (!restart_) asked_.reset();
  const double seconds = static_cast<double>(now_.finished.nanoseconds - now_.began.nanoseconds) / 1e9;
  const Event event{"scrub_finished",
                    subject_,
                    {{"pages", std::to_string(pass_.pages)}, {"rotten", std::to_string(pass_.rotten)}, {"repaired", std::to_string(pass_.repaired)},
                     {"lost", std::to_string(pass_.lost)}, {"seconds", std::to_string(static_cast<std::int64_t>(seconds))}}};
  context_.trace.record(event);
  if (pass_.lost == 0) CCR_CO_TRY(co_await target_->passed(now_.began));
  CCR_CO_TRY(co_await save());
  changed_.notify();
  co_return Result<void>();
}

Task<Result<void>> Scrub::save() {
  unsaved_ = 0;
  saved_at_ = context_.clock.now();
  keeper_->state().scrub = now_;
  co_return co_await keeper_->save();
}

// --- rotten pages ----------------------------------------------------------------------------------------------------------

Task<Result<Repair>> Scrub::attempt(PageNumber page, RepairOutcome& outcome) {
  Result<RepairOutcome> tried = co_await target_->repair(page);
  if (!tried.ok()) co_return tried.error();
  outcome = std::move(*tried);
  const bool sound = outcome.what == Repair::repaired || outcome.what == Repair::healed;
  if (!sound) co_return outcome.what;
  ++now_.rotten;
  if (outcome.what == Repair::repaired) {
    ++now_.repaired;
    const Event event{"page_repaired", subject_, {{"page", std::to_string(page)}, {"from", outcome.from}, {"wire_bytes", std::to_string(outcome.wire_bytes)}}};
    context_.trace.record(event);
  }
  CCR_CO_TRY(co_await target_->repaired(page));
  keeper_->state().scrub.rotten = now_.rotten;
  keeper_->state().scrub.repaired = now_.repaired;
  CCR_CO_TRY(co_await keeper_->save());
  co_return outcome.what;
}

Task<Result<void>> Scrub::lose(PageNumber page, RepairOutcome outcome) {
  ++pass_.lost;
  ++now_.rotten;
  keeper_->state().scrub.rotten = now_.rotten;
  const Event event{"page_lost", subject_, {{"page", std::to_string(page)}, {"cause", outcome.cause}}};
  context_.trace.record(event);
  CCR_CO_TRY(co_await target_->lost(page, outcome.cause));
  if (!outcome.fault) co_return Result<void>();
  // Its files are opened again, and the scrub goes on behind this page: else it would be the next thing that ends the copy.
  ++now_.next_page;
  CCR_CO_TRY(co_await save());
  co_return *outcome.fault;
}

Task<Result<void>> Scrub::settle(PageNumber page) {
  const Result<bool> rotten = co_await target_->set_aside(page);
  if (!rotten.ok()) co_return rotten.error();
  if (!*rotten) co_return Result<void>();
  if (++pass_.rotten > pages_rotten_max) {
    RepairOutcome too_many;
    too_many.cause = "more than " + std::to_string(pages_rotten_max) + " pages are rotten";
    co_return co_await lose(page, std::move(too_many));
  }
  for (Duration pause = retry_pause_min;; pause = std::min(pause * 2, retry_pause_max)) {
    RepairOutcome outcome;
    const Result<Repair> tried = co_await attempt(page, outcome);
    if (!tried.ok()) co_return tried.error();
    if (*tried == Repair::damaged) co_return co_await lose(page, std::move(outcome));
    if (*tried == Repair::repaired) ++pass_.repaired;
    if (*tried != Repair::waits) break;
    waiting_ = "page " + std::to_string(page) + ": " + outcome.cause;
    CCR_CO_TRY(co_await target_->waits(page));
    const auto asked_more = [this, seen = wishes_] { return wanted(seen); };
    co_await wait_for(context_.clock, pause, changed_, asked_more);
    if (!mendings_.empty()) CCR_CO_TRY(co_await serve_mending());
  }
  waiting_.clear();
  co_return Result<void>();
}

Task<Result<void>> Scrub::serve_mending() {
  const std::shared_ptr<Mending> mending = mendings_.front();
  for (const PageNumber page : mending->pages) {
    const Result<bool> rotten = co_await target_->set_aside(page);
    if (!rotten.ok()) co_return rotten.error();
    Repair what = *rotten ? Repair::waits : Repair::healed;
    for (int tries = 0; tries < mend_tries_max && what == Repair::waits; ++tries) {
      if (tries > 0) co_await context_.clock.sleep(retry_pause_min);
      RepairOutcome outcome;
      const Result<Repair> tried = co_await attempt(page, outcome);
      if (!tried.ok()) co_return tried.error();
      if (outcome.fault) co_return *outcome.fault;
      what = *tried;
    }
    if (what == Repair::repaired || what == Repair::healed) mending->sound.push_back(page);
  }
  mending->done = true;
  mendings_.pop_front();
  changed_.notify();
  co_return Result<void>();
}

}  // namespace ccr::engine
