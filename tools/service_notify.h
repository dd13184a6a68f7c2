// Tells systemd how the service is, when NOTIFY_SOCKET asks for it (sd_notify(3), by hand: one datagram). Without it nothing
// happens.
#pragma once

#include <string>

namespace ccr::tools {

void notify_service(const std::string& state);  // "READY=1", "STOPPING=1"

}  // namespace ccr::tools
