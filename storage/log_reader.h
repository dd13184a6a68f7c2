// Reading a log: by records for replay, by raw blocks for shipping. Each block is verified before a byte of it is used or sent.
//
// A LogDirectory names where a generation's bytes are: sealed `<directory>/<16 hex>.log`, open `<directory>/current.log` on an active
// copy, `<directory>/incoming/<16 hex>.log` on a passive one. A file that is renamed while it is read goes on being read.
// Bounds: one read buffer of read_bytes_max and images_bytes_max of pages per reader, whatever the length of a record. After an error:
// next() may be tried again when no page of a record was taken, else another reader from position() is needed.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "storage/disk.h"
#include "storage/log_format.h"

namespace ccr::storage {

struct LogDirectory {
  std::string path;
  Signature signature;
  std::uint32_t page_size = 0;
};

struct SealFacts {
  Generation generation;
  Seal seal;
};

struct Page {
  PageNumber number = 0;
  ByteView image;  // valid until the next call
};

class LogReader {
 public:
  static constexpr std::size_t read_bytes_max = 1 * MiB;
  static constexpr std::size_t images_bytes_max = 64 * KiB;  // handed out at once, but for one larger page

  // Starts at `from`, which must be canonical and the start of a record.
  LogReader(Disk& disk, LogDirectory directory, Position from);
  ~LogReader();

  // The next record that ends at or before `limit`, or nullopt when there is none yet (call again with a later limit). Pages of the
  // record before that were not taken are skipped. Errors: corrupt, gap (a generation is missing), diverged (chain broken), io.
  // A record that a crash of the writer abandoned is never returned.
  Task<Result<std::optional<RecordHeader>>> next(Position limit);
  // The next images of the current record, some at a time; none behind the last. They are valid until the next call.
  Task<Result<std::span<const Page>>> next_pages();

  // Nothing will come for a while: the read buffer's memory goes back to the system. What follows is read again.
  void give_back();

  Position position() const;  // canonical: behind the last record whose pages were all taken (or skipped); start of the next
  Position start() const;     // of the record that next() answered last
  // Seals passed by position() since the last call, in order. Behind a record and its seals: canonical position, then root compare.
  // A seal inside a record is passed with the record's last page; its last_commit is then older than what was read: compare a root
  // only where last_commit is the last commit applied.
  std::vector<SealFacts> take_seals();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whole verified blocks for the wire, header and seal blocks included.
class BlockReader {
 public:
  BlockReader(Disk& disk, LogDirectory directory);
  ~BlockReader();

  struct Chunk {
    Generation generation;
    std::uint64_t offset = 0;   // a multiple of block_bytes; 0 is the header block
    std::size_t bytes = 0;      // 0: nothing durable beyond `from` yet
    bool sealed = false;        // the last block of the chunk is the seal
  };
  // Fills `into` (a multiple of block_bytes) from (generation, offset), never beyond `durable` on an open generation and never
  // across a seal. Canonical `durable` = (g+1, 4096) means that all of g is there, and the header block of g+1 once it exists.
  // ErrorKind::gap when the generation was truncated.
  Task<Result<Chunk>> read(Generation generation, std::uint64_t offset, Position durable, ByteSpan into);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One generation as the chain sees it.
struct ChainLink {
  Generation generation;
  Digest128 digest;        // of the whole file; for an open generation of its verified prefix
  std::uint64_t bytes = 0;  // length of what the digest covers
  Epoch epoch = 0;
  bool sealed = false;
};

// Every generation of a directory in rising order with its number, size and sealed flag, without reading content.
struct GenerationFile {
  Generation generation;
  std::uint64_t bytes = 0;
  bool sealed = false;
  std::string path;
};
Task<Result<std::vector<GenerationFile>>> list_generations(Disk& disk, std::string directory);

class SpareFiles;
// Takes sealed generations below `below` out of the log, lowest first and durably; files of `length` bytes become spare ones. Answers the
// lowest sealed one that is left, none where there is none. The newest sealed one always stays: the header behind it is checked against it.
Task<Result<Generation>> truncate_generations(Disk& disk, std::string directory, Generation below, SpareFiles& spares, std::uint64_t length);

// Reads and verifies one generation whole: header, blocks, continuity, seal (when sealed). The digest is the chain digest.
struct GenerationFacts {
  GenerationHeader header;
  ChainLink link;
  std::optional<Seal> seal;
  std::uint32_t blocks = 0;      // valid data blocks
  std::vector<RecordHeader> records;  // headers of the records that begin here; at most records_max are kept
  std::uint64_t records_total = 0;
  static constexpr std::size_t records_max = 100'000;
};
Task<Result<GenerationFacts>> inspect_generation(Disk& disk, std::string path, std::optional<Signature> expected);

// Verifies a directory's chain from its first generation to its last; the first damage, gap or broken link is the error.
Task<Result<std::vector<ChainLink>>> verify_chain(Disk& disk, std::string directory);

}  // namespace ccr::storage
