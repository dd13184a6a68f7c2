// ShipLoad writes a load into an active page store and watches it go through the whole pipe: durable here, shipped, durable on one
// passive copy, as that copy reports it.
//
// work() is spawned once, in the active copy's group, and completes when the load is over and the copy has all of it, or drain_max
// later. A client that leaves calls leave(): the load ends at its next turn. Lifetime: shared by the task and the client, any of
// which may be the last; what is passed in outlives work(). Threads: the node's executor. Bounds: watched_max commits on their way
// to the copy are timed at once, more are only counted; a row for each second.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/load.h"

namespace ccr::engine {

struct ShipSecond {
  double seconds = 0;  // how long it was
  std::uint64_t commits = 0;
  std::uint64_t page_bytes = 0, log_bytes = 0;
  std::optional<std::uint64_t> wire_bytes;
  LatencySummary durable_there;  // of commits that became durable on the copy within it
  std::size_t on_the_way = 0;    // durable here and not there, at its end
  double processors_here = -1;   // below 0: not known
};

struct ShipCount {
  LoadReport load;                 // its latency is to durable here
  LatencyHistogram durable_there;  // from commit()
  std::uint64_t unfinished = 0;    // not durable there within answer_max
  std::uint64_t log_bytes = 0;     // shipped
  std::optional<std::uint64_t> wire_bytes;
  double seconds = 0;  // of writing
  double processors_here = -1;
  std::vector<ShipSecond> each_second;
  void add(const ShipCount& later);
};

class ShipLoad {
 public:
  static constexpr Duration answer_max = std::chrono::seconds(5);
  using WireBytes = std::function<std::optional<std::uint64_t>()>;  // on the copy's connection, since that began

  ShipLoad(ActiveCopy& active, std::string copy, LoadOptions options, WireBytes wire_bytes);

  static Task<Result<void>> work(std::shared_ptr<ShipLoad> load);
  bool ended() const noexcept { return outcome_.has_value(); }
  void leave() noexcept { load_.end_now(); }
  std::uint64_t page_bytes() const noexcept { return load_.report().bytes; }
  Result<ShipCount> outcome() const;  // when it has ended

 private:
  struct Reading {
    Instant at;
    std::uint64_t commits = 0, page_bytes = 0, log_bytes = 0, processor = 0;
    std::optional<std::uint64_t> wire_bytes;
  };

  Task<Result<void>> run();
  Task<Result<void>> write(TaskGroup& group);
  Task<Result<void>> follow_marks();
  Task<Result<void>> sample();
  Task<void> durable_here(Instant begun);
  Reading read() const;
  void add_second(const Reading& from, const Reading& to);

  ActiveCopy& active_;
  std::string copy_;
  WireBytes wire_bytes_;
  Load load_;
  Signal marks_moved_;
  std::size_t on_the_way_ = 0;
  ShipCount count_;
  LatencyHistogram this_second_;
  Reading first_, last_;
  std::optional<Result<void>> outcome_;
};

}  // namespace ccr::engine
