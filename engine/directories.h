// The directories of a copy, made or checked before a byte is written into them (FAULTS rows 31, 34).
//
// A new copy has neither state nor log: both directories are made and marked. A copy that has a state must find both marks as they were;
// a state without its log, or a log without its state, is a swapped directory or an empty mount, and is refused with ErrorKind::identity.
#pragma once

#include "engine/node_context.h"
#include "engine/state_keeper.h"
#include "storage/identity_file.h"

namespace ccr::engine {

// Before a state is read, which mends its file: a directory with the mark of another node or database is ErrorKind::identity, and stays as it is. One without a
// mark is fine here, and one that is not there.
Task<Result<void>> expect_own_state(NodeContext& context, const DatabaseConfig& database, std::string directory);

// True: there is a state and it was loaded into `keeper`. False: everything is new and empty, directories made, nothing marked yet.
Task<Result<bool>> open_directories(NodeContext& context, const DatabaseConfig& database, const CopyPaths& paths, StateKeeper& keeper);

// Marks both directories as this copy's, with the signature its log now has.
Task<Result<void>> mark_directories(NodeContext& context, const DatabaseConfig& database, const CopyPaths& paths, Signature signature);

}  // namespace ccr::engine
