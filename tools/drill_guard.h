// DrillGuard undoes what a drill did when the drill cannot: a process of its own, made before anything is changed.
//
// It knows what to undo (keep()), and does that when the drill's process ends without over(), by whatever signal. It alone stops another process
// (freeze()), and lets it go on when the time is over, when it is asked to, or when the drill is gone; should the guard be gone, thaw() lets it go on from here.
// Ctrl-C and the terminal's end do not reach it. Each call completes when the guard has answered; failure: unreachable (it is gone), its own error.
// Threads: the caller's, blocking. Bounds: freeze_max; one plan; an answer within answer_max.
#pragma once

#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"
#include "base/result.h"
#include "tools/drill_return.h"

namespace ccr::tools {

class DrillGuard {
 public:
  static constexpr Duration freeze_max = std::chrono::seconds(60);
  static constexpr Duration answer_max = std::chrono::seconds(10);

  static Result<std::unique_ptr<DrillGuard>> make();
  ~DrillGuard();  // without over() the guard goes on with what was kept, and nobody waits for it
  DrillGuard(const DrillGuard&) = delete;
  DrillGuard& operator=(const DrillGuard&) = delete;

  Result<void> keep(const ReturnPlan& plan);
  Result<void> freeze(int process, Duration how_long);
  Result<void> thaw();
  void over();  // there is nothing to undo
  int process() const noexcept { return process_; }

 private:
  DrillGuard(int socket, int process) : socket_(socket), process_(process) {}
  Result<void> ask(const nlohmann::json& order);

  int socket_, process_;
  int frozen_ = 0;
  bool over_ = false;
};

}  // namespace ccr::tools
