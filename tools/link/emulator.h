// The emulator: two TUN devices in two network namespaces, a Direction each way, one thread.
//
// It says `ready` on its standard output when both interfaces are there. On SIGUSR1 and at its end it writes one line of JSON with
// its counters. It ends on SIGINT and SIGTERM, and with its parent if asked to; the interfaces go with it.
// Bounds: one wait is at most until the next packet is due. Threads: one.
#pragma once

#include <string>

#include "base/result.h"
#include "tools/link/link.h"

namespace ccr::linklab {

struct EmulatorOptions {
  std::string namespace_a;  // paths, as /run/netns/NAME
  std::string namespace_b;
  std::string interface = "link";  // the same name at both ends
  LinkOptions link;                // both ways alike; the way back draws its losses from the next seed
  bool end_with_parent = false;
  bool urgent = true;  // real-time priority, where the machine allows it: a link does not wait for its users
};

Result<void> run_emulator(const EmulatorOptions& options);

}  // namespace ccr::linklab
