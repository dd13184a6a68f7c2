// FairShare has the seeds that go to one peer take turns: each gets as many bytes as any other that has something to send.
//
// A seat is one seed, however many connections it has. turn() completes when its seat is at most lead_max ahead of the slowest that wants to
// send too; the Turn it gives lasts until the message is sent. Who was silent for so long as patience begins where the slowest stands: silence earns nothing. Nobody
// waits longer than patience for a slower one: that one is held back by something else than the link, and is not waited for during
// exempt_time. So a seed with a rate limit of its own, or a slow disk, costs the others a thirtieth.
// Lifetime: outlives its turns and seats. Threads: the node's executor only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/signal.h"
#include "base/task.h"

namespace ccr::seed {

class FairShare {
 public:
  static constexpr std::uint64_t lead_max = 8 * MiB;  // what the buffers of connections hold is sent already: less than that steers nothing
  static constexpr Duration patience = std::chrono::milliseconds(500);
  static constexpr Duration exempt_time = std::chrono::seconds(15);

  struct Seat {
    std::uint64_t sent = 0;  // bytes, and those that others had sent when it came
    int streams = 0;         // that are held
    int wanting = 0;         // of them: messages that are sent or wait for it
    Instant wanted_at;     // last
    Instant exempt_until;
  };

  // One connection's place at its seed's seat.
  class Stream {
   public:
    Stream(FairShare& share, std::string seed);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

   private:
    friend class FairShare;
    FairShare& share_;
    std::map<std::string, Seat>::iterator seat_;
  };

  // While it lives its message is being sent; with sent() it counts.
  class Turn {
   public:
    Turn(FairShare& share, Seat& seat) : share_(&share), seat_(&seat) {}
    Turn(Turn&& other) noexcept : share_(other.share_), seat_(std::exchange(other.seat_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn();
    void sent(std::uint64_t bytes);

   private:
    FairShare* share_;
    Seat* seat_;
  };

  FairShare(const Executor& executor, Clock& clock) : clock_(clock), changed_(executor) {}

  Task<Turn> turn(Stream& stream);
  std::size_t seats() const noexcept { return seats_.size(); }

 private:
  bool counts(const Seat& seat, Instant now) const noexcept { return seat.wanting > 0 && seat.exempt_until <= now; }
  bool ahead(const Seat& seat) const;
  void exempt_slower(const Seat& than);

  Clock& clock_;
  Signal changed_;
  std::map<std::string, Seat> seats_;  // by seed
};

}  // namespace ccr::seed
