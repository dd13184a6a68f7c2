#include "engine/ship_load.h"

#include <algorithm>
#include <utility>

#include "engine/measure_stream.h"

namespace ccr::engine {
namespace {

constexpr Duration row_interval = std::chrono::seconds(1);
constexpr Duration least_row = std::chrono::milliseconds(200);  // a shorter rest at the end says too little

// A connection that was made anew meanwhile counts from 0.
std::optional<std::uint64_t> between(const std::optional<std::uint64_t>& before, const std::optional<std::uint64_t>& after) {
  if (!before || !after || *after < *before) return std::nullopt;
  return *after - *before;
}

}  // namespace

void ShipCount::add(const ShipCount& later) {
  const double both = seconds + later.seconds;
  const bool known = later.processors_here >= 0 && (seconds == 0 || processors_here >= 0);
  processors_here = !known ? -1 : both > 0 ? (std::max(processors_here, 0.0) * seconds + later.processors_here * later.seconds) / both : 0;
  wire_bytes = seconds == 0 ? later.wire_bytes : wire_bytes && later.wire_bytes ? std::optional(*wire_bytes + *later.wire_bytes) : std::nullopt;
  load.commits += later.load.commits;
  load.bytes += later.load.bytes;
  load.seconds += later.load.seconds;
  load.latency.add(later.load.latency);
  durable_there.add(later.durable_there);
  unfinished += later.unfinished;
  log_bytes += later.log_bytes;
  seconds = both;
  each_second.insert(each_second.end(), later.each_second.begin(), later.each_second.end());
}

ShipLoad::ShipLoad(ActiveCopy& active, std::string copy, LoadOptions options, WireBytes wire_bytes)
    : active_(active),
      copy_(std::move(copy)),
      wire_bytes_(std::move(wire_bytes)),
      load_(active, options, [this](Instant begun) { return durable_here(begun); }),
      marks_moved_(active.context().executor) {}

Task<Result<void>> ShipLoad::work(std::shared_ptr<ShipLoad> load) {
  struct Ended {
    ShipLoad& load;
    ~Ended() {
      if (!load.outcome_) load.outcome_ = Result<void>(Error{ErrorKind::stopped, "the database was dismounted", ""});
    }
  } ended{*load};
  const Result<void> outcome = co_await load->run();
  load->outcome_ = outcome;
  co_return Result<void>();  // for whoever watches
}

Result<ShipCount> ShipLoad::outcome() const {
  CCR_ASSERT(outcome_.has_value());
  if (!outcome_->ok()) return outcome_->error();
  return count_;
}

Task<Result<void>> ShipLoad::run() {
  TaskGroup group(active_.context().executor);
  first_ = last_ = read();
  group.spawn(write(group));
  group.spawn(follow_marks());
  group.spawn(sample());
  co_return co_await group.join();
}

Task<Result<void>> ShipLoad::write(TaskGroup& group) {
  CCR_CO_TRY(co_await load_.run());
  const Reading written = read();
  if (written.at - last_.at >= least_row) add_second(last_, written);
  count_.load = load_.report();
  count_.seconds = seconds_of(written.at - first_.at);
  count_.processors_here = processors_used(first_.processor, written.processor, written.at - first_.at);
  count_.log_bytes = written.log_bytes - first_.log_bytes;
  count_.wire_bytes = between(first_.wire_bytes, written.wire_bytes);
  group.stop();
  co_return Result<void>();
}

Task<Result<void>> ShipLoad::follow_marks() {
  for (;;) {
    co_await active_.watermarks_heard().wait();
    marks_moved_.notify();
  }
}

// Also wakes those who wait for a copy that says nothing any more.
Task<Result<void>> ShipLoad::sample() {
  for (;;) {
    co_await active_.context().clock.sleep_until(last_.at + row_interval);
    const Reading now = read();
    add_second(last_, now);
    last_ = now;
    marks_moved_.notify();
  }
}

// The end of the log now is at or behind the commit's own end.
Task<void> ShipLoad::durable_here(Instant begun) {
  const Clock& clock = active_.context().clock;
  const Position end = active_.tip().durable;
  const Instant give_up = clock.now() + answer_max;
  struct OnTheWay {
    std::size_t& count;
    explicit OnTheWay(std::size_t& c) : count(c) { ++count; }
    ~OnTheWay() { --count; }
  } on_the_way(on_the_way_);
  while (active_.copies().of(copy_).watermarks.durable < end && clock.now() < give_up) co_await marks_moved_.wait();
  if (active_.copies().of(copy_).watermarks.durable < end) {
    ++count_.unfinished;
    co_return;
  }
  const Duration latency = clock.now() - begun;
  count_.durable_there.add(latency);
  this_second_.add(latency);
}

ShipLoad::Reading ShipLoad::read() const {
  const Clock& clock = active_.context().clock;
  const LoadReport& report = load_.report();
  return {clock.now(),  report.commits, report.bytes, active_.copies().of(copy_).shipped_bytes, processor_nanoseconds(clock),
          wire_bytes_()};
}

void ShipLoad::add_second(const Reading& from, const Reading& to) {
  ShipSecond row;
  row.seconds = seconds_of(to.at - from.at);
  row.commits = to.commits - from.commits;
  row.page_bytes = to.page_bytes - from.page_bytes;
  row.log_bytes = to.log_bytes - from.log_bytes;
  row.wire_bytes = between(from.wire_bytes, to.wire_bytes);
  row.durable_there = this_second_.summary();
  row.on_the_way = on_the_way_;
  row.processors_here = processors_used(from.processor, to.processor, to.at - from.at);
  count_.each_second.push_back(row);
  this_second_ = {};
}

}  // namespace ccr::engine
