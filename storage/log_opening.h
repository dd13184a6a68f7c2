// Opening a log directory after whatever happened: the sealed generations are surveyed, the open one is assessed block by block, the
// verdict of log_recovery.h is carried out. LogStream and IncomingLog open through it.
//
// Nothing on disk changes before every check has passed; each change is atomic and may be repeated after a crash in the middle.
// What is kept of an open generation is always written to a new inode and synced before it is used.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/generation_file.h"
#include "storage/log_recovery.h"
#include "storage/log_stream.h"

namespace ccr::storage {

// At an opening the newest sealed generations are read whole up to this sum; of older ones only the headers, so that a start stays
// short however much log is held. Their blocks are verified when they are read, and by verify_chain.
inline constexpr std::uint64_t survey_bytes_max = 64 * MiB;

struct SealedSurvey {
  std::vector<GenerationFile> files;   // the newest row without a hole, rising
  std::optional<GenerationScan> last;  // of the newest
};
// corrupt, identity, diverged as the checks say, naming the file. `up_to`: later generations are not looked at; absent: all are.
Task<Result<SealedSurvey>> survey_sealed(Disk& disk, LogDirectory directory, std::optional<Generation> up_to = std::nullopt);

// Reads a sealed generation whole; nothing may lie behind its seal.
Task<Result<GenerationScan>> scan_sealed(Disk& disk, std::string path, GenerationScan::Expected expected);

// What stands in an open generation's file. An error only for I/O and for a header that is not believed.
struct Assessment {
  GenerationScan scan;                // of the valid prefix
  std::vector<BlockOutcome> blocks;   // blocks[0] is block 1
};
Task<Result<Assessment>> assess_open(Disk& disk, std::string path, GenerationScan::Expected expected);

// What the header of the generation behind `last` is checked against.
GenerationScan::Expected expected_behind(const LogDirectory& directory, const std::optional<GenerationScan>& last);

// The header of the generation behind a sealed one.
struct HeaderOptions {
  Epoch epoch = 0;
  std::uint64_t generation_bytes = 0;
  WallTime created;
};
GenerationHeader header_behind(const GenerationScan& sealed, HeaderOptions options);

// What a crash may leave of a file that never got its final name.
Task<Result<void>> remove_temporaries(Disk& disk, std::string directory);

// Gives `file`, which has its length, its header; not synced.
Task<Result<GenerationScan>> write_header(File& file, GenerationHeader header, GenerationScan::Expected expected);

// The same, and the name current.log for what lies at `path`, all durably.
Task<Result<GenerationScan>> place_current(Disk& disk, File& file, std::string directory, std::string path, GenerationHeader header,
                                           GenerationScan::Expected expected);

// An open generation ready to be written on.
struct RecoveredLog {
  std::unique_ptr<File> file;
  GenerationScan scan;
  LogEnd end;
};
struct RecoveryOptions {
  LogDirectory directory;
  HeaderOptions header;  // of a generation that must be made
  Position proven;
};
Task<Result<RecoveredLog>> recover_log(Disk& disk, RecoveryOptions options);

}  // namespace ccr::storage
