#include "engine/active_copy.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/undo.h"
#include "engine/active_scrub.h"

namespace ccr::engine {

using storage::RecordKind;
using storage::SourceStanding;

ActiveCopy::ActiveCopy(NodeContext& context, const DatabaseConfig& database, SourceFactory factory, CopyStanding& standing, CopyTable& copies,
                       Scrub& scrub)
    : context_(context),
      database_(database),
      factory_(std::move(factory)),
      standing_(standing),
      copies_(copies),
      gate_(database, subject_of(database, context.config.node), context.clock, copies, context.trace),
      scrub_(scrub),
      scrubbed_(std::make_unique<ActiveScrub>(*this, paths_of(context.config, database, true))),
      paths_(paths_of(context.config, database, true)),
      keeper_(context.executor, context.disk, paths_.state_directory),
      log_keeper_(context, database, keeper_),
      group_(context.executor),
      changed_(context.executor),
      tip_changed_(context.executor),
      watermarks_heard_(context.executor) {
  if (sqlite()) application_ = std::make_unique<Application>(context_, database_, paths_, keeper_, *this);
}

ActiveCopy::~ActiveCopy() = default;

Task<Result<void>> ActiveCopy::run() {
  Result<void> ended;
  bool stopped = false;
  try {
    ended = co_await live();
  } catch (const std::exception& exception) {
    if (!is_stopped(exception)) throw;
    stopped = true;
  }
  ready_ = false;
  if (stopped) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (store_ != nullptr) store_->fail(ended.ok() ? Error{ErrorKind::stopped, "this copy is served no more: the node stops, or another one serves; whether the commit is kept shows there", ""} : ended.error());
  if (source_) co_await source_->close();
  if (stopped) throw std::system_error(asio::error::operation_aborted);
  co_return ended;
}

Task<Result<void>> ActiveCopy::live() {
  CCR_CO_TRY(co_await mount());
  if (!drop_foreign_pins(keeper_.state().pins, database_.copies).empty()) CCR_CO_TRY(co_await keeper_.save());  // forgotten while this copy was not mounted
  ready_ = true;
  if (store_ != nullptr) enter_mounted();  // an sqlite source says by itself when it serves
  group_.spawn(capture());
  group_.spawn(keep_house());
  group_.spawn(prepare_log());
  if (application_) group_.spawn(application_->start());
  if (application_) group_.spawn(application_->leave_when_asked());
  if (gate_.waits_for_others()) group_.spawn(answer_when_safe());
  if (gate_.waits_for_others()) group_.spawn(watch_waiting_commits());
  if (replayer_) group_.spawn(replayer_->run());
  group_.spawn(scrub_.run(*scrubbed_, keeper_));
  co_return co_await group_.join();
}

storage::LogDirectory ActiveCopy::log_directory() const {
  return {paths_.log_directory, keeper_.state().signature, keeper_.state().page_size};
}

Position ActiveCopy::replayed() const { return replayer_ ? replayer_->position() : tip_.durable; }

// --- commits -------------------------------------------------------------------------------------------------------------

Task<void> ActiveCopy::claim_log() {
  while (writing_ || (store_ != nullptr && (holds_ > 0 || log_keeper_.full()))) co_await changed_.wait();
}

namespace {

// Marks the log as being written for a scope.
class Writing {
 public:
  Writing(bool& flag, Signal& changed) : flag_(flag), changed_(changed) { flag_ = true; }
  ~Writing() {
    flag_ = false;
    changed_.notify();
  }

 private:
  bool& flag_;
  Signal& changed_;
};

}  // namespace

Task<Result<void>> ActiveCopy::capture() {
  for (;;) {
    Result<storage::SourceItem> item = co_await source_->next();
    if (!item.ok()) co_return item.error();
    co_await claim_log();
    Writing writing(writing_, changed_);
    CCR_CO_TRY(co_await take(std::move(*item)));
    // A hold stops the page store only. A source whose application goes on must not lose its groups to it: with a sync for each commit it
    // falls behind, and the read that the holder waits for stands behind all that.
    while (source_->ready() && group_bytes_ < group_bytes_max && (holds_ == 0 || store_ == nullptr)) {
      Result<storage::SourceItem> more = co_await source_->next();
      if (!more.ok()) co_return more.error();
      CCR_CO_TRY(co_await take(std::move(*more)));
    }
    CCR_CO_TRY(co_await sync_group());
  }
}

Task<Result<void>> ActiveCopy::take(storage::SourceItem item) {
  if (auto* commit = std::get_if<storage::SourceCommit>(&item)) return take_commit(*commit);
  if (auto* pages = std::get_if<storage::SourcePages>(&item)) return take_pages(std::move(*pages));
  if (auto* parted = std::get_if<storage::SourceParted>(&item)) return take_parting(std::move(*parted));
  return take_standing(std::get<SourceStanding>(std::move(item)));
}

Task<Result<void>> ActiveCopy::take_commit(storage::SourceCommit commit) {
  const bool base = commit.kind == RecordKind::base_marker;
  storage::RecordHeader header;
  header.kind = commit.kind;
  header.number = log_->last_commit() + 1;
  header.wall = commit.wall;
  header.page_count = commit.page_count;
  header.images = base ? 0 : commit.images;
  header.cursor = commit.cursor;
  CCR_CO_TRY(co_await log_->begin(header));
  if (base) install_scan();
  overlay_->resize(commit.page_count);
  for (std::size_t taken = 0; taken < commit.images;) {
    const Result<std::span<const storage::Page>> pages = co_await source_->next_pages();
    source_broke_off_ = !pages.ok() && pages.error().kind == ErrorKind::gap;
    if (!pages.ok()) co_return pages.error();  // the log's recovery abandons the record
    CCR_ASSERT(!pages->empty() && pages->size() <= commit.images - taken);
    for (const storage::Page& page : *pages) {
      CCR_ASSERT(page.number >= 1 && page.number <= commit.page_count);
      overlay_->set(page.number, page_digest(page.number, page.image));
    }
    if (!base) CCR_CO_TRY(co_await log_->pages(*pages));
    taken += pages->size();
  }
  const bool rejoins = commit.kind != RecordKind::commit;
  const std::size_t pages = base ? differing_.size() : commit.images;
  if (rejoins) {
    comparing_ = Comparing::no;
    digests_whole_ = true;
    differing_.clear();
  }
  const Digest64 root = digests_whole_ ? overlay_->root() : 0;  // 0 in a seal: not known
  const Result<Position> end = co_await log_->end(root);
  if (!end.ok()) co_return end.error();
  unsettled_ = commit.cursor;
  group_bytes_ += storage::RecordHeader::encoded_bytes + header.body_bytes(digests_->page_size());
  if (!rejoins) co_return Result<void>();
  // Nothing is told or served of it before it is durable. Behind a base marker the old table and the old range mean nothing.
  CCR_CO_TRY(co_await sync_group());
  if (base) CCR_CO_TRY(co_await checkpoint());
  const std::string subject = subject_of(database_, context_.config.node);
  const Event event{base ? "base_marker" : "catch_up",
                    subject,
                    {{"reason", lost_reason_}, {"pages", std::to_string(pages)}, {"commit", std::to_string(header.number)}}};
  context_.trace.record(event);
  enter_mounted();
  co_return Result<void>();
}

Task<Result<void>> ActiveCopy::sync_group() {
  if (!unsettled_) co_return Result<void>();
  CCR_CO_TRY(co_await log_->sync());
  overlay_->settle();
  const storage::SourceCursor cursor = *unsettled_;
  unsettled_.reset();
  group_bytes_ = 0;
  gate_.durable_here(log_->durable(), cursor);
  answer_commits();
  publish_tip();
  co_return check_room();
}

// What was under way is durable, and answered: nothing more is taken.
Result<void> ActiveCopy::check_room() const {
  if (!log_->no_room()) return {};
  return Error{log_->no_room()->kind, log_->no_room()->message + "; what was under way is in the log's reserve", "make room: it is looked for by itself"};
}

void ActiveCopy::answer_commits() {
  const std::optional<storage::SourceCursor> safe = gate_.release(log_->durable());
  if (safe) source_->settled(*safe);
}

Task<Result<void>> ActiveCopy::answer_when_safe() {
  for (;;) {
    co_await watermarks_heard_.wait();
    answer_commits();
  }
}

// Time alone may answer, and a person wants to know why a program stands still.
Task<Result<void>> ActiveCopy::watch_waiting_commits() {
  constexpr Duration turn = std::chrono::milliseconds(500), long_wait = std::chrono::seconds(3);
  bool told = false;
  for (;;) {
    co_await context_.clock.sleep(turn);
    answer_commits();
    const std::optional<Duration> waiting = gate_.waiting();
    const bool waits = (waiting && *waiting > long_wait) || gate_.fallen_back();
    if ((waits || told) && standing_.state() == State::mounted) enter_mounted();
    told = waits;
  }
}

void ActiveCopy::show_application() {
  if (standing_.state() == State::mounted) enter_mounted();
}

namespace {

std::string full_hint(const std::string& holder) {
  return holder == "retention" ? "ccr backup lets it go; or a larger log_budget" : "ccr status shows why it holds; or a larger log_budget";
}

}  // namespace

void ActiveCopy::enter_mounted() {
  if (application_ && !application_->cause().empty()) return standing_.enter(State::mounted, application_->cause(), "ccr log why, or the events of this node, tell what was tried");
  const std::string& cause = keeper_.state().cause;
  const std::string other = database_.copies.size() > 1 ? database_.copies[1] : context_.config.node;
  const std::string first = sqlite() ? "ccr verify " + subject_of(database_, other) + " names all such pages"
                                     : "ccr scrub " + subject_of(database_, context_.config.node) + " repairs it from another copy";
  const std::string hint = first + "; look at this disk, and at who wrote the file";
  if (cause.empty() && log_keeper_.full())
    return standing_.enter(State::mounted, "commits wait: the log budget is used up, held by " + *log_keeper_.full(), full_hint(*log_keeper_.full()));
  if (cause.empty() && gate_.fallen_back()) return standing_.enter(State::mounted, "no other copy answers: commits are answered as async", "ccr status shows why");
  if (cause.empty() && gate_.waiting()) return standing_.enter(State::mounted, "commits wait until another copy has them", "ccr status shows why none does");
  standing_.enter(State::mounted, cause, cause.empty() ? "" : hint);
}

std::string ActiveCopy::damage_text(PageNumber page) const {
  return "PAGE: page " + std::to_string(page) + " of " + paths_.page_file + " is not what its log says";
}

Task<Result<void>> ActiveCopy::damaged(PageNumber page) {
  if (!keeper_.state().cause.empty()) co_return Result<void>();  // one is enough to look into
  keeper_.state().cause = damage_text(page);
  if (standing_.state() == State::mounted) enter_mounted();
  co_return co_await keeper_.save();
}

Task<Result<void>> ActiveCopy::undamaged() {
  if (keeper_.state().cause.empty()) co_return Result<void>();
  keeper_.state().cause.clear();
  if (standing_.state() == State::mounted) enter_mounted();
  co_return co_await keeper_.save();
}

Task<Result<void>> ActiveCopy::repaired(PageNumber page) {
  if (keeper_.state().cause != damage_text(page)) co_return Result<void>();
  co_return co_await undamaged();
}

void ActiveCopy::publish_tip() {
  tip_.durable = log_->durable();
  tip_.commit = log_->durable_commit();
  tip_.page_count = digests_->page_count();
  tip_.root_known = comparable();
  tip_.root = tip_.root_known ? digests_->root() : 0;
  keeper_.state().durable = tip_.durable;
  keeper_.state().durable_commit = tip_.commit;
  copies_.durable_here(tip_.durable);
  if (replayer_) replayer_->set_limit(tip_.durable);
  tip_changed_.notify();
}

// --- page reads ------------------------------------------------------------------------------------------------------------

Task<Result<void>> ActiveCopy::take_pages(storage::SourcePages pages) {
  CCR_CO_TRY(co_await sync_group());  // the table now stands exactly where these pages do
  if (compare_reads_.erase(pages.request) > 0) {
    compare_pages(pages);
    co_return Result<void>();
  }
  const auto found = reads_.find(pages.request);
  if (found == reads_.end()) co_return Result<void>();  // its reader was stopped
  PagesRead result;
  result.as_of = tip_.durable;
  result.page_count = pages.page_count;
  result.count = pages.count;
  result.images = std::move(pages.images);
  note_table(pages.first, result, comparable());
  found->second->result = std::move(result);
  found->second->done.notify();
  co_return Result<void>();
}

void ActiveCopy::note_table(PageNumber first, PagesRead& read, bool comparable) const {
  read.comparable = comparable;
  const std::uint32_t page_size = digests_->page_size();
  for (std::uint32_t i = 0; i < read.count; ++i) {
    const PageNumber page = first + i;
    const Digest64 digest = page <= digests_->page_count() ? digests_->at(page) : 0;
    read.table.push_back(digest);
    if (!comparable || read.differs != 0) continue;
    if (digest != page_digest(page, read.images.view().subspan(std::size_t(i) * page_size, page_size))) read.differs = page;
  }
}

Task<Result<ActiveCopy::PagesRead>> ActiveCopy::read(PageNumber first, std::uint32_t count) {
  if (page_file_) {
    PagesRead result;
    result.as_of = replayer_->position();
    result.page_count = page_file_->page_count();
    result.count = first > result.page_count ? 0 : std::min<std::uint32_t>(count, result.page_count - first + 1);
    result.images = AlignedBuffer(std::size_t(result.count) * page_file_->page_size(), AlignedBuffer::Content::any);
    if (result.count > 0) CCR_CO_TRY(co_await page_file_->read_what_is_there(first, result.count, result.images.span()));
    note_table(first, result, holds_ > 0 && replayer_->position() == tip_.durable);
    co_return std::move(result);
  }
  constexpr std::size_t reads_max = storage::LogSource::reads_in_flight_max - compare_reads_max;
  while (reads_.size() >= reads_max) co_await changed_.wait();
  Read read(context_.executor);
  struct Registered {
    ActiveCopy& copy;
    std::uint64_t id;
    ~Registered() {
      copy.reads_.erase(id);
      copy.changed_.notify();
    }
  } registered{*this, next_read_++};
  reads_.emplace(registered.id, &read);
  source_->read_pages(registered.id, first, count);
  while (!read.result) co_await read.done.wait();
  co_return std::move(*read.result);
}

Task<Result<void>> ActiveCopy::hold() {
  ++holds_;
  Undo undo([this] { release(); });  // a stop in here: the caller does not have the hold yet
  if (store_ != nullptr) {
    while (writing_) co_await changed_.wait();
    hurry();
    while (replayer_->position() < tip_.durable) co_await replayer_->changed().wait();
  }
  undo.keep();
  co_return Result<void>();
}

void ActiveCopy::hurry() {
  if (replayer_) replayer_->hurry();
}

void ActiveCopy::release() {
  CCR_ASSERT(holds_ > 0);
  --holds_;
  changed_.notify();
}

Task<void> ActiveCopy::wait_until_comparable() {
  while (!comparable()) co_await changed_.wait();
}

PageGiver& ActiveCopy::page_giver() { return *scrubbed_; }

}  // namespace ccr::engine
