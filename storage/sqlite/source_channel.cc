#include "storage/sqlite/source_channel.h"

#include <utility>

namespace ccr::storage::sqlite {
namespace {

constexpr std::size_t piece_overhead_bytes = 256;  // what a piece without images costs, roughly
constexpr std::size_t queued_bytes_low = SourceChannel::queued_bytes_max / 2;  // a full queue goes on here, not at each piece

std::size_t weight_of(const SourcePiece& piece) {
  const auto* batch = std::get_if<ImageBatch>(&piece);
  return batch == nullptr ? piece_overhead_bytes : piece_overhead_bytes + batch->bytes;
}

}  // namespace

SourceChannel::SourceChannel(std::function<void()> notify, std::function<void()> wake_worker)
    : notify_(std::move(notify)), wake_worker_(std::move(wake_worker)) {}

bool SourceChannel::push(SourcePiece piece) {
  const std::size_t weight = weight_of(piece);
  const bool waits = std::holds_alternative<ImageBatch>(piece);
  bool notify = false;
  {
    std::unique_lock lock(mutex_);
    if (waits && queued_bytes_ > 0 && queued_bytes_ + weight > queued_bytes_max) {
      while (!stopped_ && queued_bytes_ > queued_bytes_low) {
        if (room_.wait_for(lock, room_tick) == std::cv_status::no_timeout || !while_full_) continue;
        lock.unlock();
        const bool goes_on = while_full_();
        lock.lock();
        if (!goes_on) return false;
      }
    }
    if (stopped_) return false;
    if (std::holds_alternative<SourcePages>(piece)) ++answers_;
    pieces_.push_back({std::move(piece), waits ? since_ : Instant{}});
    queued_bytes_ += weight;
    notify = std::exchange(engine_waits_, false);
  }
  if (notify) notify_();
  return true;
}

bool SourceChannel::take_request(SourceRequest& into) {
  const std::lock_guard lock(mutex_);
  if (requests_.empty()) return false;
  into = std::move(requests_.front());
  requests_.pop_front();
  return true;
}

bool SourceChannel::has_request() const {
  const std::lock_guard lock(mutex_);
  return !requests_.empty();
}

bool SourceChannel::reads_wait() const {
  const std::lock_guard lock(mutex_);
  return !requests_.empty() || answers_ > 0;
}

bool SourceChannel::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

void SourceChannel::ended() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  notify_();
}

std::optional<SourcePiece> SourceChannel::take() {
  std::optional<SourcePiece> piece;
  bool room = false;
  {
    const std::lock_guard lock(mutex_);
    if (pieces_.empty()) {
      engine_waits_ = true;
      return std::nullopt;
    }
    piece = std::move(pieces_.front().piece);
    pieces_.pop_front();
    if (std::holds_alternative<SourcePages>(*piece)) --answers_;
    queued_bytes_ -= weight_of(*piece);
    room = queued_bytes_ <= queued_bytes_low;
  }
  if (room) room_.notify_one();
  return piece;
}

void SourceChannel::request(SourceRequest request) {
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
  }
  wake_worker_();
}

void SourceChannel::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  room_.notify_all();
  wake_worker_();
}

bool SourceChannel::worker_ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

Instant SourceChannel::oldest() const {
  const std::lock_guard lock(mutex_);
  for (const Queued& each : pieces_)
    if (std::holds_alternative<ImageBatch>(each.piece)) return each.since;
  return Instant{};
}

std::size_t SourceChannel::queued_bytes() const {
  const std::lock_guard lock(mutex_);
  return queued_bytes_;
}

}  // namespace ccr::storage::sqlite
