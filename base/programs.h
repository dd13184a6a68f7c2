// Programs is a seam: a command of the user's runs on this host, such as one that ends what uses a database.
//
// Completion: the command has ended; what it started and left behind goes on. Failure: its exit status or signal with
// the end of what it wrote; timeout, and then it was ended. Stopping: it is ended. Threads: the node's executor.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/task.h"

namespace ccr {

struct ProgramCall {
  std::string command;  // for /bin/sh -c
  std::vector<std::pair<std::string, std::string>> environment;  // beside the daemon's own
  Duration limit{};
};

class Programs {
 public:
  virtual ~Programs() = default;
  virtual Task<Result<void>> run(ProgramCall call) = 0;
};

}  // namespace ccr
