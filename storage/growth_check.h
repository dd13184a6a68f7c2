// Whether redo makes a page file whole again that is shorter than its digest table says.
//
// A crash may leave such a file, where what redo reads writes each page that is missing, or drops it. A file that somebody cut would grow over a
// hole where its pages were, and look well until its pages are read. Nothing is written here, so a crash between this and redo changes nothing.
// Errors: corrupt, with `hint`, where redo would leave such a hole; what reading the log says. Bounds: a bit for each missing page.
#pragma once

#include "storage/log_reader.h"
#include "storage/page_digests.h"
#include "storage/page_file.h"

namespace ccr::storage {

// `from` is where redo begins, as LogReader; `until` what its pages may have been ahead of a crash, and `digests` the table as that left it.
Task<Result<void>> check_growth(Disk& disk, LogDirectory log, Position from, Position until, const PageFile& pages, const PageDigests& digests,
                                std::string hint);

}  // namespace ccr::storage
