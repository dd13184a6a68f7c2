// What to keep of an open generation after a crash: the tail rule (FAULTS invariant 8). Pure.
//
// Recovery cuts only behind what is not proven durable. Proofs that a block was durable:
//   1. a later valid block of the same file whose `durable` position covers it;
//   2. such a block of a later generation's file;
//   3. the position that the caller brings: state file, passives.
// The group that was acknowledged last has no proof of kind 1 or 2 on this disk; only kind 3 can tell its loss from a torn tail.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/position.h"
#include "storage/log_format.h"

namespace ccr::storage {

struct BlockOutcome {
  enum class Kind : std::uint8_t {
    valid,  // a data block that is whole and in its place; a block behind a bad one is valid by its own checksum alone
    seal,   // a seal that proves every block before it
    zero,   // never written
    bad,    // anything else
  };
  Kind kind = Kind::zero;
  Position durable;          // of a valid block: what its writer knew durable
  bool ends_record = false;  // of a valid block: no record goes on behind it
};

struct RecoveryFacts {
  Generation generation;
  std::vector<BlockOutcome> blocks;  // blocks[0] is block 1
  Position before;                   // canonical end of the log when no data block of this generation is kept
  Position claimed;                  // what blocks of later generations state durable; unknown: generation 0
  Position proven;                   // unknown: generation 0
};

struct RecoveryVerdict {
  enum class Kind : std::uint8_t {
    keep,    // keep_blocks data blocks, cut the rest
    sealed,  // the whole file up to and with the seal; only its final name is missing
    damage,  // bad bytes before a proof: refuse, change nothing
    gap,     // the log ends before a proof that came from elsewhere: refuse, change nothing
  };
  Kind kind = Kind::keep;
  std::uint32_t keep_blocks = 0;
  std::uint64_t cut_blocks = 0;  // written blocks behind them
  std::string reason;            // of damage and gap: block, proof
};

RecoveryVerdict decide_recovery(const RecoveryFacts& facts);

}  // namespace ccr::storage
