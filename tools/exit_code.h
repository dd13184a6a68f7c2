// What the process says to its caller: fixed numbers, scripts are written against them.
#pragma once

#include "base/result.h"

namespace ccr::tools {

enum class ExitCode : int {
  done = 0,         // or healthy
  failed = 1,       // while running
  usage = 2,        // or configuration
  unreachable = 3,  // daemon or peer
  refused = 4,      // by a safety rule; nothing was changed
  damage = 5,       // verification found a difference or damage
  timeout = 6,      // waited too long, the work goes on
  warnings = 10,
  failed_checks = 11,
  interrupted = 130,
};

constexpr ExitCode exit_code_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::not_found:  // what the user named is not there
    case ErrorKind::config:
    case ErrorKind::usage:
      return ExitCode::usage;
    case ErrorKind::disconnected:
    case ErrorKind::unreachable:
    case ErrorKind::stopped:
      return ExitCode::unreachable;
    case ErrorKind::refused:
    case ErrorKind::identity:
    case ErrorKind::busy:
    case ErrorKind::full:
      return ExitCode::refused;
    case ErrorKind::corrupt:
    case ErrorKind::gap:
    case ErrorKind::diverged:
      return ExitCode::damage;
    case ErrorKind::timeout:
      return ExitCode::timeout;
    case ErrorKind::exists:
    case ErrorKind::io:
    case ErrorKind::no_space:
    case ErrorKind::read_only:
    case ErrorKind::protocol:
    case ErrorKind::unsupported:
      return ExitCode::failed;
  }
  return ExitCode::failed;
}

}  // namespace ccr::tools
