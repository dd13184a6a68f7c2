// FairShare has the seeds that go to one peer take turns: each gets as many bytes as any other that has something to send.
//
// A seat is one seed, however many connections it has. turn() completes when its seat is at most lead_max ahead of the slowest that wants to
// send too; the Turn it gives lasts until the message is sent. Who was silent for so long as patience begins where the slowest stands: silence
// earns nothing. A slow one is worth waiting for where it takes what the others leave. Where the seeds together send much less than they could
// while some of them wait, the slow ones are held back by something else than the link (a rate limit of their own, a slow disk) and are not
// waited for during exempt_time: that costs the others a twentieth. No wait is longer than patience, or two messages of the slowest, patience_max at most.
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
  static constexpr Duration patience_max = std::chrono::seconds(3);
  static constexpr Duration exempt_time = std::chrono::seconds(15);

  struct Seat {
    std::uint64_t sent = 0;  // bytes, and those that others had sent when it came
    int streams = 0;         // that are held
    int wanting = 0;         // of them: messages that are sent or wait for it
    Instant wanted_at;     // last
    Duration last_took{0};  // of its last message, until its connection had taken it
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
    Turn(Turn&& other) noexcept : share_(other.share_), seat_(std::exchange(other.seat_, nullptr)), began_(other.began_) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn();
    void sent(std::uint64_t bytes);

   private:
    FairShare* share_;
    Seat* seat_;
    Instant began_;
    friend class FairShare;
  };

  FairShare(const Executor& executor, Clock& clock) : clock_(clock), changed_(executor) {}

  Task<Turn> turn(Stream& stream);
  std::size_t seats() const noexcept { return seats_.size(); }

 private:
  bool counts(const Seat& seat, Instant now) const noexcept { return seat.wanting > 0 && seat.exempt_until <= now; }
  bool ahead(const Seat& seat) const;
  void look();
  void exempt_slow();
  Duration patience_with_slower(const Seat& than) const;

  Clock& clock_;
  Signal changed_;
  std::map<std::string, Seat> seats_;  // by seed
  // What all sent, and how long they waited, since the last look; and what they could send lately, in bytes a second.
  Instant looked_at_;
  std::uint64_t sent_since_ = 0;
  Duration waited_since_{0};
  double could_send_ = 0;
};

}  // namespace ccr::seed
