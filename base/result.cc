#include "base/result.h"

namespace ccr {

const char* name_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::not_found: return "not_found";
    case ErrorKind::exists: return "exists";
    case ErrorKind::io: return "io";
    case ErrorKind::no_space: return "no_space";
    case ErrorKind::read_only: return "read_only";
    case ErrorKind::corrupt: return "corrupt";
    case ErrorKind::gap: return "gap";
    case ErrorKind::diverged: return "diverged";
    case ErrorKind::identity: return "identity";
    case ErrorKind::protocol: return "protocol";
    case ErrorKind::disconnected: return "disconnected";
    case ErrorKind::unreachable: return "unreachable";
    case ErrorKind::timeout: return "timeout";
    case ErrorKind::refused: return "refused";
    case ErrorKind::unsupported: return "unsupported";
    case ErrorKind::config: return "config";
    case ErrorKind::usage: return "usage";
    case ErrorKind::busy: return "busy";
    case ErrorKind::full: return "full";
    case ErrorKind::stopped: return "stopped";
  }
  return "unknown";
}

}  // namespace ccr
