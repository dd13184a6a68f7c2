// A disk in memory with one directory, for a fuzzer whose target is a file in it. What is played on it ends well, or stops the fuzzer.
#pragma once

#include "tests/fuzz/fuzzed_world.h"
#include "tests/memory_disk.h"

namespace ccr {

struct FuzzedDisk {
  explicit FuzzedDisk(const std::string& directory) { play(disk.make_directories(directory)); }
  void play(Task<Result<void>> task) { must_be_ok(sim::complete(fuzzed.world, std::move(task))); }

  FuzzedWorld fuzzed;
  storage::MemoryDisk disk;
};

}  // namespace ccr
