#include "engine/verification.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "engine/status_parts.h"
#include "engine/watched.h"

namespace ccr::engine {

using nlohmann::json;

Task<Result<void>> Verification::work(std::shared_ptr<Verification> verification) {
  struct Ended {
    Verification& verification;
    ~Ended() { verification.ended_ = true; }
  } ended{*verification};
  verification->group_.spawn(verification->verify());
  co_return co_await verification->group_.join();
}

Task<Result<void>> Verification::verify() {
  outcome_ = co_await copy_.verify(request_, watch_);
  co_return Result<void>();  // what it found is for those who watch
}

json Verification::progress() const {
  return {{"phase", watch_.phase},
          {"done_bytes", watch_.done_bytes},
          {"total_bytes", watch_.total_bytes},
          {"rate_limit", rate_limit_json(request_.bytes_per_second_max)}};
}

Result<json> Verification::result() const {
  CCR_ASSERT(ended_);
  if (!outcome_) return Error{ErrorKind::refused, "the verification was cancelled", "ccr verify begins a new one"};
  if (!outcome_->ok()) return outcome_->error();
  return verify_json(**outcome_);
}

}  // namespace ccr::engine
