// What the engine asks of a source's worker: pages as of a place in the order of commits, a rejoin, a parting.
#include <utility>

#include "storage/sqlite/sqlite_worker.h"

namespace ccr::storage::sqlite {

bool SqliteWorker::open_view(WalIndex& index) {
  capture_->end_view();
  const std::optional<WalIndex> look = session_->mark() ? session_->look() : std::nullopt;
  if (!look) return false;
  index = *look;
  capture_->open_view(index, Hold::mark);
  return true;
}

// Slot 0 is the kindest mark, but it protects only what comes after it: with anything left to capture it would be a reset under our reading.
bool SqliteWorker::reach_view() {
  std::optional<WalIndex> index = session_->look();
  if (index && capture_->at(*index) && session_->settle(*index)) {
    capture_->open_view(*index, Hold::slot_zero);
    return true;
  }
  if (!index || !open_view(*index)) {
    unclear();
    return false;
  }
  return capture_to(*index) && capture_->in_view();
}

// Between two commits of a backlog. Reads go before the commits that follow; and a mark that nobody reads under is given up, for it holds
// checkpoints back.
bool SqliteWorker::at_boundary() {
  note_place();
  look_around();
  if (channel_.has_request()) return !capture_->view_open() || capture_->in_view();
  return capture_->view_open() && !reads_go_on();
}

bool SqliteWorker::serve_between(WalIndex& index) {
  const bool asked = channel_.has_request();
  const bool held = asked ? capture_->in_view() || open_view(index) : take_anchor();
  if (!held) {
    unclear();
    return false;
  }
  if (capture_->in_view()) answer_requests();
  return session_ && !failed_;
}

bool SqliteWorker::reads_go_on() {
  const Instant now = worker_now();
  if (channel_.reads_wait()) read_at_ = now;
  return now - read_at_ < view_linger;
}

void SqliteWorker::serve_requests() {
  while (session_ && !failed_ && !channel_.stopped() && !policy_.gap_under_way() && channel_.has_request()) {
    policy_.touched(worker_now());
    if (capture_->in_view() || reach_view()) answer_requests();
  }
  if (!session_ || !capture_->view_open()) return;
  // A mark holds back checkpoints: no longer than the answers take, if the next one is reached as soon. Behind a backlog it stays for the reads
  // that follow: each new mark would lie at the end of what was committed meanwhile, and a program faster than the log would keep it out of reach.
  const std::optional<WalIndex> index = session_->look();
  if (index && !is_near(*index) && session_->hold() == Hold::mark && reads_go_on()) return;
  if (session_->hold() == Hold::slot_zero) return capture_->end_view();
  if (policy_.state() == MarkPolicy::State::yielding) {
    capture_->end_view();
    return session_->release();
  }
  take_anchor();
}

// All that wait, in one view.
void SqliteWorker::answer_requests() {
  CCR_ASSERT(capture_->in_view());
  read_at_ = worker_now();
  SourceRequest request;
  while (session_ && !failed_ && capture_->in_view() && channel_.take_request(request)) serve(request);
}

void SqliteWorker::serve(const SourceRequest& request) {
  if (const auto* read = std::get_if<ReadRequest>(&request)) {
    if (!capture_->answer(*read) && !channel_.stopped()) fail("reading pages of " + options_.path + " failed");
    return;
  }
  if (std::holds_alternative<PartRequest>(request)) {
    Result<void> parted = part();
    if (!parted.ok()) parting_.reset();
    if (session_) policy_.touched(worker_now());
    channel_.push(SourceParted{std::move(parted)});
    return;
  }
  const auto& rejoin = std::get<RejoinRequest>(request);
  if (!capture_->lost() || rejoin.losses != losses_) return;  // another gap was found since: its standing is on the way
  const WalCapture::Pass pass = capture_->rejoin(rejoin);
  if (pass == WalCapture::Pass::caught_up) {
    loss_.reset();
    channel_.push(SourceStanding{SourceStanding::Kind::serving, "", "", ""});
  }
  if (pass == WalCapture::Pass::torn || pass == WalCapture::Pass::gap)
    fail(over_budget_ ? given_up_text() : "reading pages of " + options_.path + " failed");
}

// Programs first, since a lock would only let them wait; again under the lock, for who came in between.
Result<void> SqliteWorker::part() {
  if (capture_->lost()) return Error{ErrorKind::busy, "the pages of " + options_.path + " are being compared", ""};
  if (parting_) return parting_->look_for_programs();
  Result<std::unique_ptr<Parting>> begun = Parting::begin(options_.path, session_->path());
  if (!begun.ok()) return begun.error();
  parting_ = std::move(*begun);
  if (!capture_all()) return Error{ErrorKind::busy, "what was committed to " + options_.path + " last could not be read to its end", "try again"};
  capture_->end_view();
  session_->release();  // a mark of ours would hold the checkpoint back
  const Result<void> in_file = parting_->checkpoint();
  if (!in_file.ok()) return in_file;
  return parting_->look_for_programs();
}

// Under the write lock: there is an end.
bool SqliteWorker::capture_all() {
  constexpr int looks_max = 8;
  for (int looks = 0; looks < looks_max; ++looks) {
    std::optional<WalIndex> index = take_anchor() ? session_->look() : std::nullopt;
    if (!index) continue;
    if (capture_->at(*index)) return true;
    if (!capture_to(*index) || !session_ || failed_ || capture_->lost()) return false;
  }
  return false;
}

}  // namespace ccr::storage::sqlite
