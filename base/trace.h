// Events: what a person or a checker may want to know afterwards, as one line each. A sink keeps, prints or hashes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace ccr {

// name: a fixed word such as "state_changed"; subject: "orders@beta" or a node; fields in the order given.
struct Event {
  std::string name;
  std::string subject;
  std::vector<std::pair<std::string, std::string>> fields;
};

class Trace {
 public:
  virtual ~Trace() = default;
  virtual void record(const Event& event) = 0;
};

class NullTrace final : public Trace {
 public:
  void record(const Event&) override {}
};

}  // namespace ccr
