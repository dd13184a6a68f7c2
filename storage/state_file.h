// StateFile keeps what a copy must remember: two slots, replaced in turn, each with sequence and checksum (FAULTS CK).
//
// save() completes when the new state is durable; a crash in it leaves the old one or the new one. load() takes the newer valid slot;
// both bad is ErrorKind::corrupt, none there is not_found. Bounds: an encoded state is at most state_bytes_max.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "storage/disk.h"

namespace ccr::storage {

// A reason why generations from `from` on may not be truncated.
struct Pin {
  enum class Kind : std::uint8_t { copy = 1, seed = 2 };
  Kind kind = Kind::copy;
  std::string owner;   // node name
  Position from;       // everything at or after it is kept
  bool dropped = false;  // the log budget ended it: the copy needs a difference
  bool operator==(const Pin&) const = default;
};

struct SeedProgress {
  std::string source;      // node
  Position from;           // P: where the source's log was pinned; known() when a pass is open
  std::uint32_t pass = 0;
  Position until;          // Q, when all extents are here; the first root at or after it decides
  CommitNumber until_commit = 0;
  bool manual_resume = false;
  std::uint64_t extents_sent = 0, extents_equal = 0, wire_bytes = 0, done_bytes = 0, total_bytes = 0;
  bool operator==(const SeedProgress&) const = default;
};

struct CopyState {
  static constexpr std::size_t comment_bytes_max = 512;
  Signature signature;
  Epoch epoch = 0;
  std::uint32_t page_size = 0;
  Position durable;        // active: proven end of the log; passive: end of what is synced and inspected
  CommitNumber durable_commit = 0;
  Position min_required;   // redo starts here
  Position max_required;   // pages on disk may reach here
  CommitNumber replayed_commit = 0;  // last commit before min_required
  bool seeded = false;     // passive: a whole pass ended once; false: the pages are nothing yet
  bool suspended = false;
  bool failed = false;     // FailedAndSuspended, with cause
  std::string comment;     // of the suspension
  std::string cause;       // of the failure
  WallTime since;          // of the suspension or failure
  SeedProgress seed;
  Position tip;            // passive: furthest position heard of the active, when
  CommitNumber tip_commit = 0;
  WallTime tip_heard;
  Position root_equal_at;  // last proof
  Digest64 root_equal = 0;
  WallTime disk_verified_at;
  std::vector<Pin> pins;   // active
  bool operator==(const CopyState&) const = default;
};

class StateFile {
 public:
  static constexpr std::size_t state_bytes_max = 64 * KiB;
  StateFile(Disk& disk, std::string directory);  // slots state.0 and state.1 in it
  Task<Result<CopyState>> load();
  Task<Result<void>> save(const CopyState& state);

 private:
  Disk& disk_;
  std::string directory_;
  std::uint64_t sequence_ = 0;
};

Bytes encode_state(const CopyState& state, std::uint64_t sequence);
Result<std::pair<CopyState, std::uint64_t>> decode_state(ByteView slot);

}  // namespace ccr::storage
