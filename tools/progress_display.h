// ProgressDisplay prints progress to stderr: a bar that redraws itself on a terminal, a line each ten seconds elsewhere.
//
// finish() leaves the cursor at the start of an empty line; the destructor does the same. The clock is passed in, so that a test
// owns time.
#pragma once

#include <cstdio>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"

namespace ccr::tools {

class ProgressDisplay {
 public:
  static constexpr Duration line_interval = std::chrono::seconds(10);
  static constexpr Duration bar_interval = std::chrono::milliseconds(100);

  // columns 0: `out` is no terminal.
  ProgressDisplay(std::FILE* out, std::size_t columns) : out_(out), columns_(columns) {}
  ~ProgressDisplay() { finish(); }
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void show(const nlohmann::json& fields, Instant now);
  void finish();

 private:
  std::FILE* out_;
  std::size_t columns_;
  Instant last_;
  bool begun_ = false;
  bool drawn_ = false;  // a bar stands on the line
};

}  // namespace ccr::tools
