// HistoryBudget shares out what a node may spend on the histories of packed log streams, in both directions: one sum for all
// connections.
//
// A history is zstd's window: the bytes back to which a stream may refer. (A 'window' here is TCP's.) It costs memory at both ends
// for as long as the stream lasts, so it is leased: a lease is the longest history up to the one asked for that costs at most half
// of what is left, so that a stream that comes later gets one too, if a shorter one. A lease gives back what it holds when it ends.
// None is granted below history_log_min: then log goes as it is. Threads: the node's executor only. Lifetime: the budget outlives
// its leases.
#pragma once

#include <cstdint>
#include <utility>

#include "base/bytes.h"
#include "transport/packed_messages.h"

namespace ccr::transport {

// Upper bounds of what libzstd takes, tables and working buffers included; held against its own account in tests.
std::uint64_t packing_bytes(int level, int history_log) noexcept;
std::uint64_t unpacking_bytes(int history_log) noexcept;

class HistoryBudget {
 public:
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)),
          log_(std::exchange(other.log_, 0)),
          bytes_(std::exchange(other.bytes_, 0)) {}
    Lease& operator=(Lease&& other) noexcept {
      release();
      budget_ = std::exchange(other.budget_, nullptr);
      log_ = std::exchange(other.log_, 0);
      bytes_ = std::exchange(other.bytes_, 0);
      return *this;
    }
    ~Lease() { release(); }
    void release() noexcept;
    int history_log() const noexcept { return log_; }  // 0: nothing is held
    std::uint64_t bytes() const noexcept { return bytes_; }

   private:
    friend class HistoryBudget;
    HistoryBudget* budget_ = nullptr;
    int log_ = 0;
    std::uint64_t bytes_ = 0;
  };

  explicit HistoryBudget(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  HistoryBudget(const HistoryBudget&) = delete;
  HistoryBudget& operator=(const HistoryBudget&) = delete;

  // The history_log that a lease would have now; 0: none.
  int offer_packing(int level, int history_log_wanted) const noexcept;
  int offer_unpacking(int history_log_wanted) const noexcept;
  Lease lease_packing(int level, int history_log_wanted);
  Lease lease_unpacking(int history_log_wanted);

  std::uint64_t bytes_max() const noexcept { return bytes_max_; }
  std::uint64_t bytes_held() const noexcept { return bytes_held_; }

 private:
  Lease lease(int history_log, std::uint64_t bytes);

  std::uint64_t bytes_max_;
  std::uint64_t bytes_held_ = 0;
};

}  // namespace ccr::transport
