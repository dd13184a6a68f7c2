// What lies at a path and beside it: a page file that others, too, may touch. Reads directories only.
#pragma once

#include <string>
#include <vector>

#include "base/position.h"
#include "storage/disk.h"

namespace ccr::engine {

// By its path: a file that took the place of ours is another one. Not known: nothing is there.
Task<Result<storage::FileFacts>> facts_at(storage::Disk& disk, std::string path);

// corrupt: a program that opened the page file for writing left its own log beside it, whose pages would come over ours when the next one
// opens it. `subject`: whose page file it is.
Task<Result<void>> check_beside(storage::Disk& disk, std::string subject, std::string path);

// Renamed, durably; it may be repeated after a crash in the middle. `to` is not there.
Task<Result<void>> move_file(storage::Disk& disk, std::string from, std::string to);

// What SQLite keeps beside a database: a WAL or a journal of an earlier life would be read into whatever file comes to the place. They get a name
// with `epoch` in it, which is returned; an empty one, and a wal-index, is removed. Durable at completion.
Task<Result<std::vector<std::string>>> set_aside_beside(storage::Disk& disk, std::string path, Epoch epoch);
// They are removed: everything of them is in the file.
Task<Result<void>> remove_beside(storage::Disk& disk, std::string path);

}  // namespace ccr::engine
