// StateFile keeps what a copy must remember: two slots, replaced in turn, each with sequence and checksum (FAULTS CK).
//
// save() completes when the new state is durable; a crash in it leaves the old one or the new one. load() takes the newer valid
// slot and completes when that is durable; both bad is ErrorKind::corrupt, none there is not_found. A slot that cannot be read is
// an error of its own: it might be the newer one.
// A newer slot that rots leaves the older one, from which a copy recovers. Who is active in which epoch it could not know again, so a state
// that names another role than the older slot does goes into both before save() or load() completes.
// load() writes: what it found may stand in the page cache only, left by a process that died before its sync, or by a sync that
// failed. So the slot it believes is rewritten under a new inode, and save() writes in place only where this object wrote well.
// Bounds: an encoded state is at most state_bytes_max. One call at a time.
//
// A slot, little endian: magic u64, version u32, payload bytes u32, sequence u64, checksum u64, payload, zeros up to whole blocks.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "storage/disk.h"

namespace ccr::storage {

// A reason why generations from `from` on may not be truncated.
struct Pin {
  enum class Kind : std::uint8_t { copy = 1, seed = 2, backup = 3 };  // a backup is of this life only, and in no file
  Kind kind = Kind::copy;
  std::string owner;     // node name
  Position from;         // everything at or after it is kept
  bool dropped = false;  // the log budget ended it: the copy needs a difference
  bool operator==(const Pin&) const = default;
};

struct SeedProgress {
  std::string source;  // node
  Position from;       // P: where the source's log was pinned; known() when a pass is open
  std::uint32_t pass = 0;
  Position until;  // Q, when all extents are here; the first root at or after it decides
  CommitNumber until_commit = 0;
  bool manual_resume = false;
  bool reread = false;  // the own digest table is not believed: the disk is read
  std::uint64_t bytes_per_second_max = 0;  // 0: no limit
  std::uint64_t extents_sent = 0, extents_equal = 0, wire_bytes = 0, done_bytes = 0, total_bytes = 0;
  bool operator==(const SeedProgress&) const = default;
};

// How far the scrub of the page file is, and what it found since the copy was made.
struct ScrubProgress {
  PageNumber next_page = 0;  // of the pass that is open; 0: none is
  WallTime began;            // the pass that is open, or the last one
  WallTime finished;         // the last whole pass
  std::uint64_t rotten = 0, repaired = 0;
  bool operator==(const ScrubProgress&) const = default;
};

// For how long a delayed copy has had its log up to a position, while its node ran.
struct LogAge {
  Position position;
  Duration age{0};
  bool operator==(const LogAge&) const = default;
};

// The newest backup of this history that is known here, of any copy of it: `until-backup` keeps log from it on.
struct BackupMark {
  Position at;     // not known: there is none
  Epoch epoch = 0;
  WallTime taken;  // by the clock of its node
  bool operator==(const BackupMark&) const = default;
};

// Of a passive copy that was the active one, and may have log that it acknowledged and the next one has not; until that is known not to be so.
enum class Deposed : std::uint8_t {
  no,
  by_force,  // the next one was activated without it
  asked,     // it gave up when it was asked; where its answer was lost the next one may have gone on by force, and tells (engine/role.h)
};

struct CopyState {
  static constexpr std::size_t comment_bytes_max = 512;
  static constexpr std::size_t cause_bytes_max = 4 * KiB;  // room for the longest message of ours with two paths
  static constexpr std::size_t name_bytes_max = 255;
  static constexpr std::size_t pins_max = 64;
  static constexpr std::size_t ages_max = 64;
  Signature signature;
  Epoch epoch = 0;         // the newest that is known here
  std::string active;      // the node whose copy is the active one in it; empty: the one that the configuration names first
  bool forced = false;     // it was activated without asking the one before, which may have gone on
  Deposed deposed = Deposed::no;
  Epoch prepared = 0;      // passive: of an activation that this copy agreed to and is ready for; 0: none
  bool prepared_whole = false;  // and for which it has all that was committed, as a move proves
  bool promote_due = false;  // active sqlite copy: its file is to be brought to its place, and on_promote to be run (engine/application.h)
  std::uint32_t page_size = 0;
  Position durable;  // active: proven end of the log; passive: end of what is synced and inspected
  CommitNumber durable_commit = 0;
  Position min_required;             // redo starts here
  Position max_required;             // pages on disk may reach here
  CommitNumber replayed_commit = 0;  // last commit before min_required
  bool seeded = false;               // passive: a whole pass ended once; false: the pages are nothing yet
  bool suspended = false;
  bool failed = false;  // FailedAndSuspended, with cause
  std::string comment, suspended_by;  // of the suspension; who may be unknown
  std::string cause;    // of the failure
  WallTime since;       // of the suspension or failure
  SeedProgress seed;
  Position tip;  // passive: furthest position heard of the active, when
  CommitNumber tip_commit = 0;
  WallTime tip_heard;
  Position root_equal_at;  // last proof
  Digest64 root_equal = 0;
  WallTime disk_verified_at;
  std::uint64_t damaged_pages = 0;  // passive: found by the last verification, and not made right since
  FileFacts pages_at_rest;          // passive: of the page file when the copy was suspended
  ScrubProgress scrub;
  std::vector<Pin> pins;  // active
  std::vector<LogAge> received_ages;  // passive, with a replay_lag: what is not replayed
  std::vector<LogAge> replayed_ages;  // with a truncation_lag, or log that is kept for a time: what is
  FileAccess access;  // passive, sqlite: of the programs' file on the active node, as last heard
  BackupMark backup;
  Position log_given_up;  // the log budget took what the retention policy would have kept, up to here; not known: it took nothing
  // Where the log is to end for the activation that `prepared` names: passive, it is replayed no further; active, what was received behind
  // it goes to quarantine/ before this log is written on (storage/log_cut.h). Not known: it goes on where it ends.
  Position cut;
  bool operator==(const CopyState&) const = default;
};

class StateFile {
 public:
  static constexpr std::size_t state_bytes_max = 64 * KiB;
  StateFile(Disk& disk, std::string directory);  // slots state.0 and state.1 in it
  Task<Result<CopyState>> load();
  Task<Result<void>> save(const CopyState& state);

 private:
  struct Found;

  std::string path_of(std::size_t slot) const;
  Task<Result<Bytes>> read_slot(std::size_t slot);
  Task<Result<Found>> scan();  // the newer valid slot
  Task<Result<void>> write_slot(std::size_t slot, Bytes bytes);
  Task<Result<void>> overwrite(std::size_t slot, Bytes bytes);
  Task<Result<void>> write_next(const CopyState& state);  // over the older slot
  Task<Result<void>> into_both(const CopyState& state);   // what the newest slot holds, where the older one names another role

  Disk& disk_;
  std::string directory_;
  std::uint64_t sequence_ = 0;  // of the newest state known
  std::size_t newest_ = 1;      // the slot it is in
  bool scanned_ = false;
  std::array<bool, 2> in_place_{};  // this object wrote the slot and nothing failed
  struct NamedRole {
    Epoch epoch = 0;
    std::string active;
    bool operator==(const NamedRole&) const = default;
  };
  std::array<std::optional<NamedRole>, 2> roles_;  // that each slot names; none: it is not there, or not valid
};

// A comment or cause that is too long is cut at a character; names and pins within their bounds are the caller's promise.
Bytes encode_state(const CopyState& state, std::uint64_t sequence);
// Every bit counts: magic, version, lengths, checksum, every enum and flag, the zeros behind the payload, nothing after them. A slot of one of
// the two versions before this one is read too.
Result<std::pair<CopyState, std::uint64_t>> decode_state(ByteView slot);
void seal_state(ByteSpan slot);  // writes the checksum of a slot into it; for encode_state() and for fuzzing behind the checksum

}  // namespace ccr::storage
