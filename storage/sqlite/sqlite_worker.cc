#include "storage/sqlite/sqlite_worker.h"

#include <algorithm>
#include <utility>

namespace ccr::storage::sqlite {
namespace {

bool same_checkpoint(const WalIndex& a, const WalIndex& b) {
  return a.salts == b.salts && a.backfilled == b.backfilled && a.backfill_attempted == b.backfill_attempted;
}

}  // namespace

SqliteWorker::SqliteWorker(Options options, Clock& clock, SourceChannel& channel, WalWatch& watch, Facts& facts)
    : options_(std::move(options)), clock_(clock), channel_(channel), watch_(watch), facts_(facts), cursor_(options_.cursor) {
  channel_.while_full([this] { return look_around(); });
}

void SqliteWorker::run() {
  WalWatch::wait_precisely();
  while (!channel_.stopped()) {
    if (failed_) {
      watch_.wait(refused_pause, false);
    } else if (session_) {
      turn();
    } else {
      attach();
    }
  }
  detach();
  channel_.ended();
}

void SqliteWorker::attach() {
  if (std::optional<Refusal> refusal = examine(options_.path)) return refuse(*refusal);
  const DatabasePath path = resolve_path(options_.path);
  auto opened = SqliteSession::open(path);
  if (auto* refusal = std::get_if<Refusal>(&opened)) return refuse(*refusal);
  session_ = std::move(std::get<std::unique_ptr<SqliteSession>>(opened));
  watch_.watch(path.database, path.wal);
  const std::optional<WalIndex> index = session_->mark() ? session_->look() : std::nullopt;
  if (!index || !start_capture(*index)) {
    detach();
    const Instant now = worker_now();
    if (unclear_since_.nanoseconds == 0) unclear_since_ = now;
    if (now - unclear_since_ < unclear_max) {
      watch_.wait(MarkPolicy::yield_max, false);
    } else {
      refuse({"wal_mismatch", path.wal + " does not hold what the wal-index says",
              "let every program close the database; was the WAL removed while they had it open?"});
    }
    return;
  }
  unclear_since_ = {};
  refused_.clear();
  policy_ = MarkPolicy();
  policy_.touched(worker_now());
}

bool SqliteWorker::start_capture(const WalIndex& index) {
  const std::optional<DatabaseHeader> header = session_->file_header();
  if (!header) return false;
  const std::uint32_t before = facts_.page_size.exchange(header->page_size);
  if (before != 0 && before != header->page_size) {
    fail("the page size of " + options_.path + " went from " + std::to_string(before) + " to " + std::to_string(header->page_size));
    return true;
  }
  capture_ = std::make_unique<WalCapture>(*session_, channel_, clock_, header->page_size, [this] { return at_boundary(); });
  capture_->set_change_counter(header->change_counter);
  ResumeVerdict verdict = capture_->resume(cursor_, index);
  if (loss_ && verdict.how != ResumeVerdict::How::lost) verdict = *loss_;
  if (verdict.how == ResumeVerdict::How::lost) {
    if (capture_->lose(index) != WalCapture::Pass::caught_up) return false;
    announce_loss(verdict.reason, verdict.cause);
  } else {
    channel_.push(SourceStanding{SourceStanding::Kind::serving, "", "", ""});
  }
  return true;
}

void SqliteWorker::detach() {
  if (capture_) cursor_ = capture_->cursor();
  parting_.reset();
  capture_.reset();
  session_.reset();
  file_seen_.reset();
  ages_ = CommitAges();
  facts_.uncaptured_bytes = 0;
  facts_.behind_since = 0;
}

void SqliteWorker::refuse(const Refusal& refusal) {
  detach();
  if (refused_ != refusal.reason) {
    refused_ = refusal.reason;
    channel_.push(SourceStanding{SourceStanding::Kind::refused, refusal.reason, refusal.cause, refusal.hint});
  }
  answer_refused();
  watch_.wait(refused_pause, false);
}

void SqliteWorker::answer_refused() {
  // A rejoin is dropped: a new standing will be announced before anything is served.
  SourceRequest request;
  while (channel_.take_request(request)) {
    if (std::holds_alternative<PartRequest>(request)) channel_.push(SourceParted{Error{ErrorKind::refused, "the database is not served: " + refused_, ""}});
    const auto* read = std::get_if<ReadRequest>(&request);
    if (read == nullptr) continue;
    SourcePages answer;
    answer.request = read->request;
    answer.first = read->first;
    channel_.push(std::move(answer));
  }
}

void SqliteWorker::turn() {
  const Instant before = worker_now();
  const WalWatch::Seen seen = watch_.wait(policy_.poll(before), policy_.listens(before));
  if (channel_.stopped()) return;
  if (!parting_) check_identity(seen.database || seen.directory);  // afterwards the file goes to another name
  if (!session_) return;
  std::optional<WalIndex> index = session_->look();
  if (!index) return unclear();
  MarkPolicy::Before facts;
  facts.now = worker_now();
  facts.wal_written = seen.wal;
  facts.file_written = seen.database;
  facts.moved = !capture_->at(*index);
  facts.reset = index->salts != capture_->salts();
  facts.fully_backfilled = index->fully_backfilled();
  facts.hold = session_->hold();
  note_look(*index);
  if (policy_.before(facts) == MarkPolicy::Move::anchor && !capture_->view_open()) {
    index = take_anchor() ? session_->look() : std::nullopt;
    if (!index) return unclear();
  }
  if (!capture_to(*index)) return;
  if (!capture_->view_open()) settle(*index);
  serve_requests();
}

// Captures up to `index`, or up to a later look that replaces it. False: this turn is over.
bool SqliteWorker::capture_to(WalIndex& index) {
  constexpr int looks_max = 4;
  for (int looks = 0; looks < looks_max;) {
    if (capture_->at(index)) {
      unclear_since_ = {};
      return true;
    }
    switch (capture_->advance(index, session_->holds_off_resets())) {
      case WalCapture::Pass::caught_up:
        unclear_since_ = {};
        note_look(index);
        return true;
      case WalCapture::Pass::stopped:
        return false;
      case WalCapture::Pass::torn:
        fail(over_budget_ ? given_up_text() : "the WAL of " + options_.path + " was reset under a commit that was being read");
        return false;
      case WalCapture::Pass::gap:
        if (over_budget_) return lose("wal_budget", given_up_text()) && false;
        return lose("wal_gap", "commits passed unseen: the WAL was reset before it could be read") && false;
      case WalCapture::Pass::boundary:
        if (!serve_between(index)) return false;
        continue;
      case WalCapture::Pass::need_hold:
      case WalCapture::Pass::moved_on:
        ++looks;
        break;
    }
    const std::optional<WalIndex> again = take_anchor() ? session_->look() : std::nullopt;
    if (!again) break;
    index = *again;
  }
  unclear();
  return false;
}

bool SqliteWorker::is_near(const WalIndex& index) const {
  return index.salts == capture_->salts() && (index.last_frame - capture_->frame()) * frame_bytes(facts_.page_size.load()) <= near_bytes_max;
}

void SqliteWorker::settle(const WalIndex& captured) {
  const std::optional<WalIndex> present = session_->look();
  const WalIndex& index = present ? *present : captured;
  const std::uint64_t frame = frame_bytes(facts_.page_size.load());
  MarkPolicy::After facts;
  facts.now = worker_now();
  facts.last_frame = index.last_frame;
  facts.backfilled = index.backfilled;
  facts.backfill_attempted = index.backfill_attempted;
  facts.captured = capture_->at(index);
  facts.near = is_near(index) && channel_.queued_bytes() <= SourceChannel::queued_bytes_max / 4;
  facts.over_limit = index.last_frame * frame > options_.wal_limit_bytes;
  facts.hold = session_->hold();
  switch (policy_.after(facts)) {
    case MarkPolicy::Move::keep:
      return;
    case MarkPolicy::Move::release:
      return session_->release();
    case MarkPolicy::Move::anchor:
      if (!take_anchor()) unclear();
      return;
    case MarkPolicy::Move::settle:
      session_->settle(index);  // if a commit came between, the next turn sees it
      return;
  }
}

// The wal-index or the WAL makes no sense: for a moment that is a writer at work, or one that died there, which the next mark repairs.
void SqliteWorker::unclear() {
  const Instant now = worker_now();
  if (unclear_since_.nanoseconds == 0) unclear_since_ = now;
  policy_.touched(now);
  if (now - unclear_since_ < unclear_max) {
    watch_.wait(MarkPolicy::follow_poll, false);
    return;
  }
  detach();  // attach() goes on counting, and refuses if a new session sees the same
}

bool SqliteWorker::lose(const std::string& reason, const std::string& cause) {
  capture_->end_view();
  const std::optional<WalIndex> index = session_->mark() ? session_->look() : std::nullopt;
  if (!index || capture_->lose(*index) != WalCapture::Pass::caught_up) {
    unclear();
    return false;
  }
  return announce_loss(reason, cause);
}

bool SqliteWorker::announce_loss(const std::string& reason, const std::string& cause) {
  ++losses_;
  over_budget_ = false;
  loss_ = ResumeVerdict{ResumeVerdict::How::lost, reason, cause};
  return channel_.push(SourceStanding{SourceStanding::Kind::lost, reason, cause, ""});
}

// A view ends with its mark.
bool SqliteWorker::take_anchor() {
  capture_->end_view();
  return session_->anchor();
}

void SqliteWorker::check_identity(bool hinted) {
  const Instant now = worker_now();
  if (!hinted && now - identity_checked_ < identity_pause) return;
  identity_checked_ = now;
  if (!session_->still_in_place()) {
    detach();
  } else if (overwritten()) {
    loss_ = ResumeVerdict{ResumeVerdict::How::lost, "file_replaced", "the database file was overwritten in place"};
    detach();
  }
}

// A change of the file that no checkpoint explains.
bool SqliteWorker::overwritten() {
  const std::optional<WalIndex> before = session_->look();
  const std::optional<FileFacts> file = facts_of(session_->path().database);
  const std::optional<WalIndex> after = session_->look();
  if (!before || !after || !file || !same_checkpoint(*before, *after)) return false;
  const bool quiet = before->backfill_attempted <= before->backfilled;
  const bool explained = !quiet || !file_seen_ || !same_checkpoint(*before, index_seen_) || *file == *file_seen_;
  file_seen_ = quiet ? file : std::nullopt;
  index_seen_ = *before;
  return !explained;
}

void SqliteWorker::note_look(const WalIndex& index) {
  seen_ = index;
  seen_at_ = worker_now();
  facts_.wal_bytes = session_->wal_bytes();
  ages_.seen(index.salts, index.last_frame, seen_at_);
  note_place();
}

// What is told of the backlog, between any two commits of it: a log that is slower than the program may never come to its end.
void SqliteWorker::note_place() {
  if (capture_->at(seen_)) {
    ages_.clear(seen_at_);
  } else {
    ages_.captured(capture_->salts(), capture_->frame());
  }
  const bool same = seen_.salts == capture_->salts();
  const std::uint64_t behind = same ? seen_.last_frame - std::min(seen_.last_frame, capture_->frame()) : seen_.last_frame;
  facts_.uncaptured_bytes = behind * frame_bytes(facts_.page_size.load());
  facts_.behind_since = ages_.oldest().nanoseconds;
  channel_.stamp(ages_.oldest());
}

// Also while the queue is full. False: no longer, the WAL has grown beyond its budget meanwhile.
bool SqliteWorker::look_around() {
  if (!session_ || !capture_ || worker_now() - seen_at_ < gauge_tick) return true;
  if (const std::optional<WalIndex> index = session_->look()) note_look(*index);
  const std::uint64_t behind = seen_.last_frame - std::min(seen_.last_frame, seen_.salts == capture_->salts() ? capture_->taken_frame() : 0);
  over_budget_ = options_.wal_budget_bytes != 0 && behind * frame_bytes(facts_.page_size.load()) > options_.wal_budget_bytes;
  return !over_budget_;
}

std::string SqliteWorker::given_up_text() const {
  return "the log took nothing while the WAL of " + options_.path + " grew beyond " + std::to_string(options_.wal_budget_bytes) + " bytes (wal_budget)";
}

void SqliteWorker::fail(const std::string& message) {
  failed_ = true;
  channel_.push(Error{ErrorKind::gap, message, "the source is opened again from its cursor"});
  detach();
}

}  // namespace ccr::storage::sqlite
