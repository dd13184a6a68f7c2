// Admission decides who may try to prove itself: pure, on addresses and instants. RefusalLog says who did not, without flooding the
// log.
//
//   limit                       | value | whoever is over it
//   ----------------------------+-------+-------------------------------
//   unproven, in all            |    32 | pushes out the oldest
//   unproven, of one address    |     8 | pushes out that address's oldest
//   accepts a second, one addr. |    20 | is closed at once
//   addresses remembered        | 1,024 | a further one is closed at once; each is forgotten within a second of its end
//
// Newer ones push out, because who is no stranger needs milliseconds to prove itself: silent strangers then keep no peer away. A
// connection counts until its Hello was answered. One that proved its name (or, with TLS off, was welcomed) gives its accept
// back: a node of a thousand databases that comes back is held up by the number at a time only. Open sessions are not counted: a
// flood does not touch them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/trace.h"

namespace ccr::engine {

class Admission {
 public:
  static constexpr std::size_t unproven_max = 32;
  static constexpr std::size_t unproven_per_address_max = 8;
  static constexpr int accepts_per_second_max = 20;
  static constexpr std::size_t addresses_max = 1024;

  struct Admitted {
    std::uint64_t number = 0;                 // of this connection
    std::optional<std::uint64_t> pushed_out;  // to be closed
  };

  // ok: the caller calls leave() once. refused: which limit.
  Result<Admitted> admit(const std::string& host, Instant now);
  void leave(std::uint64_t number, bool proven);  // nothing when it was pushed out
  std::size_t unproven() const noexcept { return unproven_.size(); }

 private:
  struct Address {
    std::size_t unproven = 0;
    Instant earned;  // when all accepts so far are earned at the rate; at most a second ahead
  };
  void forget_idle(Instant now);
  std::optional<std::uint64_t> push_out(const std::string& host);

  std::map<std::string, Address> addresses_;
  std::map<std::uint64_t, std::string> unproven_;  // host of each, oldest first
  std::uint64_t next_ = 1;
};

class RefusalLog {
 public:
  static constexpr int events_per_second_max = 10;

  RefusalLog(Trace& trace, std::string node) : trace_(trace), node_(std::move(node)) {}

  // One event connection_refused, or a count that the next event tells.
  void record(const std::string& peer, const Error& error, Instant now);

 private:
  Trace& trace_;
  std::string node_;
  Instant second_;  // when the current second began
  int events_ = 0;
  std::uint64_t untold_ = 0;
};

}  // namespace ccr::engine
