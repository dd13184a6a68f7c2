// The page of a measurement, from the JSON that `ccr bench --json` and `ccr tune --peer --json` print. Pure.
//
// One HTML file that needs no network: charts, tables, and the older run beside it where one is given. What a measurement says is
// put into the page as data, never as HTML. Errors are usage: no JSON, no measurement, one of another kind than the older one.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace ccr::tools {

struct ReportInput {
  std::string name;  // of the file, for errors
  std::string text;
};

Result<std::string> report_page(const ReportInput& run, const std::optional<ReportInput>& old);

}  // namespace ccr::tools
