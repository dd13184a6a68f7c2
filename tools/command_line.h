// The command line of `ccr`: reads arguments, finds the command, runs it.
#pragma once

#include "tools/exit_code.h"

namespace ccr::tools {

ExitCode run_command_line(int count, const char* const* arguments);

}  // namespace ccr::tools
