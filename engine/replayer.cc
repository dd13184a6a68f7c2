#include "engine/replayer.h"

#include <algorithm>
#include <utility>

#include "base/undo.h"

namespace ccr::engine {

using storage::RecordHeader;
using storage::RecordKind;

Replayer::Replayer(const Executor& executor, storage::Disk& disk, Clock& clock, storage::LogDirectory log, storage::ReplayTarget& target,
                   StateKeeper& keeper, ReplayObserver& observer)
    : disk_(disk),
      clock_(clock),
      log_(std::move(log)),
      target_(target),
      keeper_(keeper),
      observer_(observer),
      reader_(disk_, log_, keeper.state().min_required),
      changed_(executor),
      limit_(keeper.state().min_required),
      position_(keeper.state().min_required),
      applied_position_(position_),
      doubtful_(std::max(position_, keeper.state().max_required)),
      commit_(keeper.state().replayed_commit),
      applied_commit_(commit_) {}

void Replayer::set_limit(Position limit) {
  if (limit < limit_) limit = std::max(limit, std::min(limit_, keeper_.state().max_required));
  if (limit == limit_) return;
  limit_ = limit;
  changed_.notify();
}

void Replayer::hurry() {
  hurried_ = limit_;
  changed_.notify();
}

void Replayer::give_back() {
  if (busy_) return;
  reader_.give_back();
  target_.give_back();
}

Task<void> Replayer::hold() {
  ++holds_;
  Undo undo([this] { release(); });  // a stop in here: the caller does not have the hold yet
  while (busy_) co_await changed_.wait();
  undo.keep();
}

void Replayer::release() {
  CCR_ASSERT(holds_ > 0);
  --holds_;
  changed_.notify();
}

Task<Result<void>> Replayer::run() {
  Position waited_at;  // no whole record below this limit
  for (;;) {
    while (holds_ > 0 || base_marker_ || limit_ <= position_ || limit_ == waited_at) co_await changed_.wait();
    const Position limit = limit_;
    const Instant begun = clock_.now();
    Result<bool> moved = co_await batch();
    if (!moved.ok()) co_return moved.error();
    waited_at = *moved ? Position{} : limit;
    co_await gather(begun);
  }
}

Task<void> Replayer::gather(Instant since) {
  constexpr Duration look_again = std::chrono::milliseconds(10);
  const auto enough = [this] {
    return hurried_ > position_ || limit_.generation.number - position_.generation.number >= generations_gathered_max;
  };
  while (clock_.now() - since < gathering_max && !enough()) co_await clock_.sleep(look_again);
}

Task<Result<void>> Replayer::replay_to(Position limit) {
  set_limit(limit);
  for (;;) {
    Result<bool> moved = co_await batch();
    if (!moved.ok()) co_return moved.error();
    if (!*moved) co_return Result<void>();
  }
}

Task<Result<bool>> Replayer::batch() {
  struct Busy {
    Replayer& replayer;
    explicit Busy(Replayer& r) : replayer(r) { replayer.busy_ = true; }
    ~Busy() {
      replayer.busy_ = false;
      replayer.changed_.notify();
    }
  } busy(*this);

  Result<std::optional<RecordHeader>> record = co_await reader_.next(limit_);
  if (!record.ok()) co_return record.error();
  const bool any = record->has_value();
  if (any && keeper_.state().max_required < limit_) {
    keeper_.state().max_required = limit_;
    CCR_CO_TRY(co_await keeper_.save());
  }
  const Position doubt = std::exchange(doubtful_, std::max(doubtful_, keeper_.state().max_required));
  std::size_t bytes = 0;
  bool applied = false;
  while (record->has_value()) {
    const RecordHeader header = **record;
    if (header.kind == RecordKind::base_marker) {
      base_marker_ = true;
      if (target_.holds_pages()) break;
    }
    CCR_CO_TRY(co_await apply(header));
    applied = true;
    bytes += header.body_bytes(log_.page_size);
    if (bytes >= batch_bytes_max || holds_ > 0) break;
    // What was promised durable in max_required bounds this batch, also when the limit has grown meanwhile.
    record = co_await reader_.next(std::min(limit_, keeper_.state().max_required));
    if (!record.ok()) co_return record.error();
  }
  const bool blocked = base_marker_ && target_.holds_pages();
  if (!blocked) {
    const Position before = applied_position_;
    pass_seals();
    applied_position_ = reader_.position();
    // Behind a seal the same content has a later position; that is the one the active copy names.
    if (applied_position_ != before && applied_commit_ != 0) observer_.commit_applied(applied_position_, applied_commit_);
  }
  if (applied) CCR_CO_TRY(co_await target_.sync());
  if (applied_position_ != position_) {
    keeper_.state().min_required = applied_position_;
    keeper_.state().max_required = std::max(keeper_.state().max_required, applied_position_);  // where only a seal was passed
    keeper_.state().replayed_commit = applied_commit_;
    CCR_CO_TRY(co_await keeper_.save());
    position_ = applied_position_;
    commit_ = applied_commit_;
  }
  doubtful_ = doubt;
  co_return applied && !blocked;
}

Task<Result<void>> Replayer::apply(const RecordHeader& header) {
  if (applied_commit_ != 0 && header.number != applied_commit_ + 1) {
    co_return Error{ErrorKind::gap,
                    "replay " + log_.path + ": commit " + std::to_string(header.number) + " does not follow " + std::to_string(applied_commit_),
                    ""};
  }
  CCR_CO_TRY(co_await target_.resize(header.page_count));
  for (;;) {
    const Result<std::span<const storage::Page>> pages = co_await reader_.next_pages();
    if (!pages.ok()) co_return pages.error();
    if (pages->empty()) break;
    for (const storage::Page& page : *pages) {
      if (page.number >= 1 && page.number <= header.page_count) continue;
      co_return Error{ErrorKind::corrupt,
                      "replay " + log_.path + ": commit " + std::to_string(header.number) + " holds page " + std::to_string(page.number) +
                          " of " + std::to_string(header.page_count),
                      ""};
    }
    CCR_CO_TRY(co_await target_.write(*pages));
  }
  pass_seals();  // those inside the record: its commit does not count for them
  applied_commit_ = header.number;
  applied_position_ = reader_.position();
  observer_.commit_applied(reader_.position(), header.number);
  co_return Result<void>();
}

void Replayer::pass_seals() {
  for (const storage::SealFacts& seal : reader_.take_seals()) observer_.seal_passed(seal, applied_commit_);
}

}  // namespace ccr::engine
