// The health checks of one copy, of those that tools/health_checks.h lists: pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "tools/health_checks.h"

namespace ccr::tools {

constexpr Health graded(double value, double warning_above, double failed_above) noexcept {
  return value > failed_above ? Health::failed : value > warning_above ? Health::warning : Health::ok;
}

struct CopyLook {
  const nlohmann::json& database;
  const nlohmann::json& copy;
  const std::string& here;  // this node
  const HostFacts& host;
  WallTime now;
};
void add_copy_checks(std::vector<HealthCheck>& checks, const CopyLook& look);

}  // namespace ccr::tools
