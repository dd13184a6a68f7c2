// The Programs seam of production: /bin/sh in a process group of its own, which ends with the call.
//
// What the command writes is read as it comes, and its last bytes stand in the error. Past its limit the group is asked to end (SIGTERM), and
// five seconds later it is ended (SIGKILL). A child that the command left behind, such as a program it started, is not waited for.
#pragma once

#include "base/programs.h"

namespace ccr::tools {

class HostPrograms final : public Programs {
 public:
  static constexpr Duration grace = std::chrono::seconds(5);
  static constexpr std::size_t output_bytes_max = 2048;  // that is kept

  explicit HostPrograms(Clock& clock) : clock_(clock) {}
  Task<Result<void>> run(ProgramCall call) override;

 private:
  Clock& clock_;
};

}  // namespace ccr::tools
