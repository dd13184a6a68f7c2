// A broken invariant stops the process, in release builds too: a wrong copy is worse than a dead daemon.
// Never for what a peer, a disk or a user sent: that is data and gets a Result.
#pragma once

namespace ccr {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;
// Ends the process with one line, and takes no memory for it. What it was doing is recovered by its next start, as behind a kill -9: an allocation
// that fails half way through anything is nowhere handled, on purpose.
[[noreturn]] void out_of_memory() noexcept;
}  // namespace ccr

#define CCR_ASSERT(expression) \
  (static_cast<bool>(expression) ? void(0) : ::ccr::assertion_failed(#expression, __FILE__, __LINE__))
