// The advice of `ccr tune`, for people, for programs and for /etc/sysctl.d. Pure.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "tools/host_link.h"
#include "tools/host_network.h"
#include "transport/window_plan.h"

namespace ccr::tools {

struct Tuning {
  transport::LinkPath path;
  transport::WindowPlan plan;
  HostNetwork host;
  HostLink link;  // where the link is known, not only its rate
  std::uint64_t log_bytes_per_second = 0;  // 0: not asked about
};

std::string tune_text(const Tuning& tuning);
nlohmann::json tune_json(const Tuning& tuning);
// What of this host's settings is too small for the plan, with its new value; settings that are enough stay as they are.
std::string sysctl_text(const Tuning& tuning);

}  // namespace ccr::tools
