// Holds for its life that nobody else does the same: the flag is up meanwhile, and finding it up is a mistake of the caller's, which ends
// the process. The flag must outlive it; for one thread.
#pragma once

#include "base/assert.h"

namespace ccr::transport {

class OneAtATime {
 public:
  explicit OneAtATime(bool& flag) : flag_(flag) {
    CCR_ASSERT(!flag_);
    flag_ = true;
  }
  OneAtATime(const OneAtATime&) = delete;
  OneAtATime& operator=(const OneAtATime&) = delete;
  ~OneAtATime() { flag_ = false; }

 private:
  bool& flag_;
};

}  // namespace ccr::transport
