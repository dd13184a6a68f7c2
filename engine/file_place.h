// What lies at a path and beside it: a page file that others, too, may touch. Reads directories only.
#pragma once

#include <string>

#include "storage/disk.h"

namespace ccr::engine {

// By its path: a file that took the place of ours is another one. Not known: nothing is there.
Task<Result<storage::FileFacts>> facts_at(storage::Disk& disk, std::string path);

// corrupt: a program that opened the page file for writing left its own log beside it, whose pages would come over ours when the next one
// opens it. `subject`: whose page file it is.
Task<Result<void>> check_beside(storage::Disk& disk, std::string subject, std::string path);

}  // namespace ccr::engine
