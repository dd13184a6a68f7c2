// CompressionPlan decides, piece by piece, whether a stream is packed, and at which level. Pure: facts of what was sent in, choice
// out.
//
// `none` and a level are what they say. `automatic`:
// - At the tail (not behind) everything is packed: the link and the processor wait anyhow, and the history fills.
// - Behind, the way that carries more is taken: what a byte of log or pages takes from end to end is measured while it goes packed
// and while
//   it goes as it is, each in runs that begin once the buffers on the way are full. The other way is tried again after a pause that
//   grows while it loses by much. So whatever the limit is (link, processor, the other end's disk), a link is never slower for it
//   for longer than a trial.
// - What does not shrink goes as it is for dull_bytes, then is tried again.
// - The level rises while sending takes the time and packing hardly any, and falls when packing does.
// Bounds: constant memory; a trial is what PlanTrial says, or less on a slow link.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"

namespace ccr::transport {

struct CompressionSetting {
  enum class Mode { none, fixed, automatic };
  Mode mode = Mode::automatic;
  int level = 1;  // of `fixed`
};

// "none", "auto", "zstd:1" .. "zstd:19", as the configuration says it, already checked.
CompressionSetting compression_setting(const std::string& text);

struct PlanTrial {
  std::uint64_t settle_bytes = 8 * MiB;          // the kernel's send buffer and what else is on the way
  std::uint64_t settle_packed_bytes = 48 * MiB;  // a history is touched for the first time, and empty, at both ends
  std::uint64_t trial_bytes = 4 * MiB;           // and a fifth of a second
};

// One piece that was sent.
struct SentPiece {
  std::uint64_t raw_bytes = 0, wire_bytes = 0;
  bool packed = false;
  bool behind = false;  // more was waiting
  Duration packing{0};  // the time it took
  Duration sending{0};
  Instant at;  // when the send completed
};

class CompressionPlan {
 public:
  static constexpr std::uint64_t judged_bytes = 1 * MiB;  // of packed ones, for the verdict that they do not shrink
  static constexpr std::uint64_t dull_bytes = 7 * MiB;
  static constexpr double dull_ratio = 0.94;
  static constexpr std::array<int, 3> levels{1, 3, 5};  // of `automatic`; bench/README.md says what each costs

  explicit CompressionPlan(CompressionSetting setting, PlanTrial trial = {}) : setting_(setting), trial_(trial) {}

  bool may_pack() const noexcept { return setting_.mode != CompressionSetting::Mode::none; }
  bool packs(bool behind) const noexcept;  // the next piece
  int level() const noexcept;
  void sent(const SentPiece& piece);
  const char* reason() const noexcept;  // of the present choice, for status

 private:
  struct Measured {
    bool known = false;
    double nanoseconds_per_byte = 0;
    Instant at;
  };
  struct Run {
    bool open = false, packed = false, settled = false;
    bool goes_on = false;  // after another of the same way
    std::uint64_t settling_bytes = 0, raw_bytes = 0;
    Duration settling{0}, elapsed{0}, packing{0}, sending{0};
    Instant last;
    int pieces = 0;
  };

  void judge_ratio(const SentPiece& piece);
  void measure(const SentPiece& piece);
  bool settles(const SentPiece& piece, Duration elapsed);
  void finish_run(Instant now);
  void choose(Instant now);
  void choose_level(Instant now);
  Measured& measured(bool packed) noexcept { return measured_[packed ? 1 : 0]; }

  CompressionSetting setting_;
  PlanTrial trial_;
  bool packing_ = true;  // what is chosen while behind
  bool trying_ = false;  // the present choice is a trial
  std::array<Measured, 2> measured_{};
  Duration retry_pause_ = std::chrono::seconds(5);
  Run run_;
  std::uint64_t judged_raw_ = 0, judged_wire_ = 0;
  std::uint64_t dull_left_ = 0;
  std::size_t level_ = 0;  // in `levels`
  Instant level_at_;       // of the last change
  bool level_settled_ = false;
};

}  // namespace ccr::transport
