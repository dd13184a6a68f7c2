// Opening the passive side's directory: what a crash left is brought to its names, surveyed, and the open generation cut to its
// verified prefix. Pure moving; the checks are GenerationScan's.
#pragma once

#include <memory>
#include <optional>

#include "storage/incoming_log.h"
#include "storage/log_opening.h"

namespace ccr::storage {

struct IncomingState {
  SealedSurvey sealed;
  GenerationScan scan;         // of the open generation; not begun when its header is not here
  std::unique_ptr<File> file;  // lies at incoming_path(); none when the scan is not begun
};

// A start of an empty directory is at `start`. An end before `proven` is ErrorKind::gap and changes nothing that was reported.
Task<Result<IncomingState>> open_incoming(Disk& disk, LogDirectory directory, Generation start, Position proven);

// Where the log ends, canonically.
Position end_of_incoming(const SealedSurvey& sealed, const GenerationScan& scan);

}  // namespace ccr::storage
