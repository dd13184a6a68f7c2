// Verification is one verification of a passive copy as its node runs it: it goes on when whoever asked for it leaves, others
// attach to it, and it ends with its report, by cancel(), or with the node.
//
// work() is spawned once, in the node's group; ended() is true when it has completed, however that was. Lifetime: shared by the
// task and those who watch, any of which may be the last; the copy outlives work(). Threads: the node's executor.
#pragma once

#include <memory>
#include <optional>

#include <nlohmann/json_fwd.hpp>

#include "engine/passive_copy.h"

namespace ccr::engine {

class Verification {
 public:
  Verification(const Executor& executor, PassiveCopy& copy, VerifyRequest request)
      : group_(executor), copy_(copy), request_(request) {}

  static Task<Result<void>> work(std::shared_ptr<Verification> verification);
  void cancel() { group_.stop(); }
  bool ended() const noexcept { return ended_; }
  const VerifyRequest& request() const noexcept { return request_; }
  nlohmann::json progress() const;
  Result<nlohmann::json> result() const;  // when it has ended

 private:
  Task<Result<void>> verify();

  TaskGroup group_;
  PassiveCopy& copy_;
  VerifyRequest request_;
  VerifyWatch watch_;
  std::optional<Result<VerifyReport>> outcome_;
  bool ended_ = false;
};

}  // namespace ccr::engine
