// The watched side of long work: what a command tells its client while the work runs, and what at the end.
#pragma once

#include <memory>

#include <nlohmann/json_fwd.hpp>

#include "engine/control.h"
#include "engine/load.h"
#include "engine/passive_copy.h"

namespace ccr::engine {

nlohmann::json seed_progress(const PassiveCopy& copy, State state);
nlohmann::json verify_json(const VerifyReport& report);
Result<LoadOptions> load_options(const ControlRequest& request);

// A load that runs in the active copy's group while a client watches it from its own.
class LoadWatch {
 public:
  LoadWatch(const Executor& executor, ActiveCopy& active, LoadOptions options);
  ~LoadWatch();
  Task<Result<void>> work();
  bool ended() const noexcept;
  void leave() noexcept;  // the client is gone: the load ends at its next turn
  Task<void> wait(Clock& clock, Duration at_most);
  nlohmann::json progress() const;
  Result<nlohmann::json> result() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;  // the work may end after the client, or before
};

}  // namespace ccr::engine
