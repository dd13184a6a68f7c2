#include "transport/compression_plan.h"

#include <algorithm>

namespace ccr::transport {
namespace {

using namespace std::chrono_literals;

constexpr Duration waited_min = 1ms;      // a send that takes so long waited for the link: the buffers are full
constexpr Duration run_time_min = 200ms;  // shorter, and a turn of the scheduler decides
constexpr Duration run_time_max = 250ms;  // a slow link tells its speed by few bytes
constexpr Duration settling_max = 2s;     // of a slow one
constexpr int run_pieces_min = 3;         // of those
constexpr double better_by = 0.95;        // of the other way's time for a byte: less is no reason to change
constexpr double much_worse_by = 1.5;
constexpr Duration retry_pause_min = 5s;  // doubled by each trial that is lost, twice so by one that is lost by much
constexpr Duration retry_pause_max = 5min;
constexpr Duration level_pause = 20s;       // a change of level costs a log stream its history
constexpr double sending_share_min = 0.75;  // of the time, to try the next level, which costs up to level_cost_max times as much
constexpr double level_cost_max = 3;
constexpr double packing_share_max = 0.5;

double share(Duration part, Duration whole) {
  return whole <= Duration::zero() ? 0 : static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

}  // namespace

CompressionSetting compression_setting(const std::string& text) {
  const std::string prefix = "zstd:";
  CompressionSetting setting;
  if (text == "none") setting.mode = CompressionSetting::Mode::none;
  if (text.starts_with(prefix)) {
    setting.mode = CompressionSetting::Mode::fixed;
    setting.level = std::stoi(text.substr(prefix.size()));
  }
  return setting;
}

bool CompressionPlan::packs(bool behind) const noexcept {
  if (setting_.mode != CompressionSetting::Mode::automatic) return may_pack();
  if (dull_left_ > 0) return false;
  return packing_ || !behind;
}

int CompressionPlan::level() const noexcept {
  return setting_.mode == CompressionSetting::Mode::fixed ? setting_.level : levels[level_];
}

const char* CompressionPlan::reason() const noexcept {
  if (setting_.mode == CompressionSetting::Mode::none) return "configured: none";
  if (setting_.mode == CompressionSetting::Mode::fixed) return "configured: this level";
  if (dull_left_ > 0) return "the content does not shrink";
  if (!packing_) return "sending it as it is goes faster";
  return measured_[1].known && measured_[0].known ? "packing it goes faster" : "nothing speaks against it";
}

void CompressionPlan::sent(const SentPiece& piece) {
  if (setting_.mode != CompressionSetting::Mode::automatic) return;
  judge_ratio(piece);
  measure(piece);
}

void CompressionPlan::judge_ratio(const SentPiece& piece) {
  if (!piece.packed) {
    dull_left_ -= std::min(dull_left_, piece.raw_bytes);
    return;
  }
  judged_raw_ += piece.raw_bytes;
  judged_wire_ += piece.wire_bytes;
  if (judged_raw_ < judged_bytes) return;
  if (static_cast<double>(judged_wire_) > dull_ratio * static_cast<double>(judged_raw_)) dull_left_ = dull_bytes;
  judged_raw_ = judged_wire_ = 0;
}

// Only what flows without a pause says how fast it can flow.
void CompressionPlan::measure(const SentPiece& piece) {
  if (!piece.behind) {
    run_.open = false;
    return;
  }
  if (!run_.open || run_.packed != piece.packed) {
    run_ = Run{};
    run_.open = true;
    run_.packed = piece.packed;
    run_.last = piece.at;
    return;
  }
  const Duration elapsed = piece.at - run_.last;
  run_.last = piece.at;
  if (!run_.settled) {
    run_.settled = settles(piece, elapsed);
    return;
  }
  run_.raw_bytes += piece.raw_bytes;
  run_.elapsed += elapsed;
  run_.packing += piece.packing;
  run_.sending += piece.sending;
  ++run_.pieces;
  const bool slow = run_.elapsed >= run_time_max && run_.pieces >= run_pieces_min;
  if ((run_.raw_bytes >= trial_.trial_bytes && run_.elapsed >= run_time_min) || slow) finish_run(piece.at);
}

bool CompressionPlan::settles(const SentPiece& piece, Duration elapsed) {
  run_.settling_bytes += piece.raw_bytes;
  run_.settling += elapsed;
  if (run_.settling >= settling_max) return true;
  if (piece.packed) return run_.settling_bytes >= trial_.settle_packed_bytes;
  return piece.sending >= waited_min || run_.settling_bytes >= trial_.settle_bytes;
}

void CompressionPlan::finish_run(Instant now) {
  const double nanoseconds = static_cast<double>(run_.elapsed.count());
  const double per_byte = nanoseconds / static_cast<double>(run_.raw_bytes);
  Measured& mine = measured(run_.packed);
  const bool goes_on = mine.known && run_.goes_on;
  mine = {true, goes_on ? (mine.nanoseconds_per_byte + per_byte) / 2 : per_byte, now};
  if (run_.packed) choose_level(now);
  // What is sent as it is because it does not shrink, or because no history is granted, is no choice of the two ways.
  if (dull_left_ == 0 && run_.packed == packing_) choose(now);
  Run next;
  next.open = next.settled = next.goes_on = run_.packed == packing_;
  next.packed = run_.packed;
  next.last = run_.last;
  run_ = next;
}

void CompressionPlan::choose(Instant now) {
  const Measured& mine = measured(packing_);
  const Measured& other = measured(!packing_);
  if (trying_) {
    const bool much_worse = mine.nanoseconds_per_byte > other.nanoseconds_per_byte * much_worse_by;
    // The one that was tried must win clearly, or the stream goes back to what it had.
    const bool lost = mine.nanoseconds_per_byte > other.nanoseconds_per_byte * better_by;
    retry_pause_ = lost ? std::min(retry_pause_ * (much_worse ? 4 : 2), retry_pause_max) : retry_pause_min;
    trying_ = false;
    if (lost) packing_ = !packing_;
    return;
  }
  if (!other.known || now - other.at >= retry_pause_) {
    trying_ = true;
    packing_ = !packing_;
    return;
  }
  if (other.nanoseconds_per_byte < mine.nanoseconds_per_byte * better_by) packing_ = !packing_;
}

void CompressionPlan::choose_level(Instant now) {
  if (level_settled_ && now - level_at_ < level_pause) return;
  const double packing = share(run_.packing, run_.elapsed);
  const bool link_waits = share(run_.sending, run_.elapsed) >= sending_share_min && packing * level_cost_max <= packing_share_max;
  const std::size_t before = level_;
  if (link_waits && level_ + 1 < levels.size()) ++level_;
  if (packing > packing_share_max && level_ > 0) --level_;
  if (level_ == before) return;
  level_settled_ = true;
  level_at_ = now;
}

}  // namespace ccr::transport
