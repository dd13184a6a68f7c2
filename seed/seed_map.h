// SeedMap remembers on the target's disk which extents of a pass are done, and whether the digest table may be believed.
//
// An extent is marked only when its pages and their entries in the digest table are durable; flush() makes the marks durable. So
// after a crash a marked extent's entries are what the disk holds; all others must be digested from the disk before anything is
// concluded from them, until settle() said once that table and disk agree everywhere. unsettle() takes that back and completes
// before the first page of a run is written.
//
// The file `seed.map` in the copy's state directory: blocks of 4096 bytes, each in two slots that are written in turn, so that a
// torn write leaves the older one. Block 0 is the header (P, page count, counts, settled), block n holds the bits of
// extents_per_block extents. Every block carries a checksum and the id of its pass: a block of an earlier pass reads as 'nothing
// done'.
//
// Failure: a failed flush() leaves the object ahead of the disk; drop it and load() another. A header that cannot be read means: no
// pass is known and nothing is believed. Bounds: one bit an extent (32 MiB for the largest database there can be), rewritten block
// by block. Lifetime: the Disk outlives it. Threads: the node's executor only.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/digest.h"
#include "storage/disk.h"

namespace ccr::seed {

// What identifies a pass: P, and what the database was there.
struct SeedPassId {
  Position from;
  CommitNumber from_commit = 0;
  PageNumber page_count = 0;
  std::uint32_t page_size = 0;
  bool operator==(const SeedPassId&) const = default;
};

// Of the pass so far, over all its runs.
struct SeedCounts {
  std::uint64_t extents_sent = 0;   // asked for, arrived and written
  std::uint64_t extents_equal = 0;  // found equal, or made zeros, without asking for a page
  std::uint64_t wire_bytes = 0;     // both directions
  std::uint64_t image_bytes = 0;    // of pages that came, before they were packed
  bool operator==(const SeedCounts&) const = default;
};

class SeedMap {
 public:
  static constexpr std::size_t block_bytes = 4096;
  static constexpr std::size_t block_payload_bytes = 4032;
  static constexpr std::uint32_t extents_per_block = block_payload_bytes * 8;

  SeedMap(storage::Disk& disk, std::string directory);

  // Reads what is there; a missing or unreadable map is no error.
  Task<Result<void>> load();

  // Begins a pass: durable, nothing done, not settled. The file grows with the database and keeps its length when that shrinks.
  Task<Result<void>> reset(SeedPassId pass);
  Task<Result<void>> unsettle();
  Task<Result<void>> flush(SeedCounts counts);
  Task<Result<void>> settle(SeedCounts counts);  // flushes, and says that table and disk agree

  bool known() const noexcept { return pass_.from.known(); }
  const SeedPassId& pass() const noexcept { return pass_; }
  const SeedCounts& counts() const noexcept { return counts_; }
  // True when, as far as seeding is concerned, the digest table was what the disk holds for this extent when load() read the map. A
  // reset() does not change it: the new pass begins with what the last one left.
  bool believed(std::uint32_t extent) const;
  bool settled() const noexcept { return settled_; }

  std::uint32_t extents() const noexcept { return extents_; }
  std::uint32_t done_count() const noexcept { return done_; }
  bool done(std::uint32_t extent) const;
  void mark(std::uint32_t extent);  // in memory, until flush()

 private:
  struct Block;  // one that was read and is valid

  Task<Result<std::optional<Block>>> read_block(std::uint64_t index, std::optional<std::uint64_t> pass);
  Task<Result<void>> write_block(std::uint64_t index, ByteView payload);
  Task<Result<void>> load_header();
  Task<Result<void>> load_bits();
  Task<Result<void>> write_header();
  Task<Result<void>> write_bits();
  void begin(SeedPassId pass);
  std::uint64_t tag() const;  // what every block of this pass carries

  storage::Disk& disk_;
  std::string directory_, path_;
  std::unique_ptr<storage::File> file_;
  SeedPassId pass_;
  std::uint64_t pass_number_ = 0;  // +1 at each reset: tells passes with one P apart
  SeedCounts counts_;
  bool settled_ = true;   // no map: nothing was ever begun here
  bool readable_ = true;  // false: there is a header, but no valid one
  std::uint32_t extents_ = 0, done_ = 0;
  Bytes bits_;                            // whole block payloads
  std::set<std::uint64_t> dirty_;         // indices of bit blocks, from 1
  std::vector<std::uint64_t> sequences_;  // of the newest copy of each block; odd ones are in slot 1; 0: none
  bool settled_at_load_ = true;
  Bytes bits_at_load_;
};

}  // namespace ccr::seed
