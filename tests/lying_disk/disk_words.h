// What a test tells a lying disk, as words in an extended attribute of its root (tests/real/lying_disk.py writes them).
//
//   cut STYLE SEED                          the power fails now
//   cut_at ACTION COUNT PROCESS STYLE SEED  at the COUNTth operation of a kind from now, and kill -9 of the process before anything is lost
//   fail ACTION ERRNO SKIP TIMES            so many operations of a kind fail
//   calm                                    no cut and no failure any more
//   mount                                   after a cut: the next life begins
//   erase                                   an empty disk
//   record                                  from here on
//   note NUMBER                             something that is true at this moment of the recording
//   open MOMENT STYLE SEED                  the disk as a cut at that moment of the recording may leave it
//
// ACTION: open, read, write, sync, resize, make_directories, sync_directory, rename, remove, list, or any.
// STYLE: process (kill -9 alone), lose, keep, subset, torn, metadata, each of the last five with +ordered behind it where the file system
// keeps an order; or any: a power cut drawn from the seed, as the swarm does.
#pragma once

#include <string>

#include "tests/lying_disk/lying_disk.h"

namespace ccr::lying {

// 0, or a negative errno: EINVAL for what it does not understand.
int obey(LyingDisk& disk, const std::string& words);

}  // namespace ccr::lying
