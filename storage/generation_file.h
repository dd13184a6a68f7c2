// Where the files of a log are, and the few things done to them as files: find, list, remove, set aside.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/generation_scan.h"

namespace ccr::storage {

inline constexpr const char* current_name = "current.log";
inline constexpr const char* prepared_name = "prepared.log";    // zeros until a roll gives it a header
inline constexpr const char* next_name = "next.log";            // the same, made by a roll that found nothing prepared
inline constexpr const char* recovered_name = "recovered.tmp";  // an open generation on its way to a new inode
inline constexpr const char* missing_generation_hint = "a file of the log was taken away: put it back, or go on with another copy: ccr activate, then ccr seed here";
inline constexpr const char* incoming_folder = "incoming";
inline constexpr const char* quarantine_folder = "quarantine";

// How much is read or written at once where a file is copied, zeroed or inspected.
inline constexpr std::size_t copy_bytes = 256 * KiB;

std::string path_in(const std::string& directory, std::string_view name);
std::string sealed_path(const std::string& directory, Generation generation);
std::string incoming_path(const std::string& directory, Generation generation);

struct OpenedGeneration {
  std::unique_ptr<File> file;
  GenerationHeader header;
  std::string path;
};

// Looks under the sealed name, then current.log, then incoming/; nullopt where it is nowhere. A roll in between is seen: the sealed
// name is asked for again. The header's own checks and its signature hold.
Task<Result<std::optional<OpenedGeneration>>> open_generation(Disk& disk, LogDirectory directory, Generation generation);

Task<Result<GenerationHeader>> read_header(File& file);

// Reads the blocks of a file one after another through one buffer of copy_bytes.
class BlockCursor {
 public:
  explicit BlockCursor(File& file) : file_(file), buffer_(copy_bytes, AlignedBuffer::Content::any) {}
  // The next block; empty at the end of the file. A part of a block at its end counts as a block of zeros behind that part.
  Task<Result<ByteView>> next();
  std::uint32_t number() const noexcept { return number_ - 1; }  // of the block next() gave

 private:
  File& file_;
  AlignedBuffer buffer_;
  std::size_t filled_ = 0, at_ = 0;
  std::uint64_t offset_ = 0;
  std::uint32_t number_ = 0;
};

// Copies the first `blocks` blocks of `from` (header included) into a new file at `temporary`, verifying each on the way, syncs it
// and gives it the name `to`, durably. The new file is `length` bytes long. Page cache that outlived a failed sync is not believed:
// whatever was read is written again (FAULTS rows 10, 11).
struct Rewritten {
  std::unique_ptr<File> file;
  GenerationScan scan;
};
struct RewritePlan {
  std::string directory, from, temporary, to;  // paths; `to` lies in `directory`
  std::uint32_t blocks = 0;
  std::uint64_t length = 0;
  GenerationScan::Expected expected;
};
Task<Result<Rewritten>> rewrite_generation(Disk& disk, RewritePlan plan);

Task<Result<void>> remove_if_there(Disk& disk, std::string path);
// Numbered files in `directory`, rising; empty where the directory is not there. `sealed` is what the caller says they are.
Task<Result<std::vector<GenerationFile>>> numbered_files(Disk& disk, std::string directory, bool sealed);

}  // namespace ccr::storage
