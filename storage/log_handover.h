// A log directory changes hands. What a passive copy received becomes what an active one writes on, and the other way round: only the name of
// the open generation differs, so nothing is copied and no byte of it changes.
//
// Each step may be repeated after a crash in the middle of it, and finds nothing to do where it was done. Nothing may have the directory open.
#pragma once

#include <optional>

#include "storage/log_opening.h"

namespace ccr::storage {

// incoming/<generation>, cut to what was verified, becomes current.log, for LogStream::open(). `proven` as for IncomingLog::open().
Task<Result<void>> take_received_log(Disk& disk, LogDirectory directory, Position proven);

// The other way round has two steps, with the owner's record of the end durable in between. First current.log is recovered as an active
// copy's would be; the canonical end of the log. nullopt: there is none, the directory is a passive copy's already.
Task<Result<std::optional<Position>>> recover_written_log(Disk& disk, RecoveryOptions options);
// Then it gets its name under incoming/; one that holds no block is removed, since its header is for the active copy to write.
Task<Result<void>> give_written_log(Disk& disk, LogDirectory directory);

}  // namespace ccr::storage
