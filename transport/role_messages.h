// Messages of a connection of purpose `roles` (transport/messages.h has the rest): which copy is the active one, and how that changes.
//
// Any node may ask any other: each tells what it knows of the databases that both have, the one that connected first. Who hears of a higher
// epoch than its own goes by it. Beside them each tells what `ccr check` compares: its clock, and a digest of its configuration. Then the asker may ask for a step of a handover, one after another; each is answered.
//
//   step      asked by           of                 means
//   check     the active node    the next one       could you take over? Nothing changes
//   prepare   the active node    the next one       no commit follows `position`: replay to it, hold `root`, and be ready, durably
//   undo      the active node    the next one       it is off; forget that you are ready
//   take      the active node    the next one       the epoch is raised, durably, and it is yours: serve
//   yield     the next one       the active node    stop serving, durably: the epoch that is named is mine
//   move      any node           the active node    move to `to`, as `ccr move` does; answered when it is over
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "base/position.h"

namespace ccr::transport {

inline constexpr Epoch epoch_max = Epoch{1} << 62;     // so that there is always a next one
inline constexpr std::size_t roles_max = 1'024;  // of one message; a longer list takes several

struct RoleEntry {
  std::string database;
  Signature signature;  // zeros: no history here yet
  Epoch epoch = 0;
  std::string active;   // the node
  bool forced = false;  // it was activated without asking the one before
  bool serving = false; // this node's copy is mounted
  bool whole = false;   // it could be: it has all pages, and is not being seeded anew
  Position end;         // of this node's log, as far as it is known to be durable; generation 0: not known
  CommitNumber commit = 0;
  Position backup;         // the newest one that is known here, of any copy; generation 0: none
  Epoch backup_epoch = 0;  // in which it was taken
  WallTime backup_taken{};
  // Of an sqlite database's file here, while it is served: who may use it. No owner: not known.
  std::string file_owner, file_group, file_label;
  std::uint32_t file_mode = 0;
  bool operator==(const RoleEntry&) const = default;
};

struct RolesTold {
  std::vector<RoleEntry> entries;
  bool last = false;           // of this side's list
  WallTime at{};               // the teller's clock as it told
  Digest64 configuration = 0;  // of the parts of its configuration that all nodes should have alike (engine/agreed_config.h)
};

enum class HandoverStep : std::uint8_t { check = 1, prepare, undo, take, yield, move };
const char* name_of(HandoverStep step) noexcept;

struct HandoverAsk {
  HandoverStep step = HandoverStep::check;
  std::string database;
  Epoch epoch = 0;   // that begins with the handover
  std::string to;    // of move: the node
  Position position;  // of prepare: where the log ends
  CommitNumber commit = 0;
  Digest64 root = 0;   // of prepare: as of `commit`
  bool forced = false; // of yield: also where it serves
};

struct HandoverAnswer {
  bool granted = false;
  std::string text, hint;  // why not; of move: what was done
  Position end;            // of yield: where this node's log ends
  CommitNumber commit = 0;
};

}  // namespace ccr::transport
