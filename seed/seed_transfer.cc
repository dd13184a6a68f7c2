#include "seed/seed_transfer.h"

#include <algorithm>
#include <utility>

#include "storage/log_format.h"


namespace ccr::seed {
namespace {

using namespace std::chrono_literals;

constexpr int writers_max = 4;  // writes of different extents that wait for the disk at once
constexpr std::uint32_t chunk_extents = 1024;  // digests asked for at a time: 8 KiB for 1 GiB of database
constexpr std::size_t chunks_ahead_max = 2;
constexpr Duration tick_period = 500ms;
constexpr std::size_t samples_max = 10;  // the rate is that of the last five seconds
static_assert(chunk_extents <= transport::extent_digests_max);

std::uint64_t bytes_of(const transport::FramedConnection& connection) {
  return connection.bytes_sent() + connection.bytes_received();
}

}  // namespace

SeedTransfer::SeedTransfer(const Executor& executor, Parts parts)
    : parts_(parts),
      executor_(executor),
      work_(executor, parts.clock, parts.map.pass(), parts.digests, parts.counters),
      group_(executor),
      committer_(work_.changed, parts.file, parts.digests, parts.map, parts.counters.counts),
      growth_(parts.streams.least, parts.streams.most),
      writers_(writers_max),
      wire_before_(parts.counters.counts.wire_bytes),
      first_before_(bytes_of(parts.connection)) {
  CCR_ASSERT(parts_.streams.further != nullptr || (parts_.streams.most == 1 && parts_.streams.first_carries));
  work_.rate = parts.rate;
  work_.cpu = parts.cpu;
}

SeedTransfer::~SeedTransfer() {
  if (parts_.budget != nullptr) parts_.budget->taken -= buffers_out_;
}

Task<Result<void>> SeedTransfer::run() {
  group_.spawn(begin_streams());
  group_.spawn(plan());
  for (int i = 0; i < writers_max; ++i) group_.spawn(write());
  group_.spawn(commit());
  group_.spawn(tick());
  const Result<void> joined = co_await group_.join();
  CCR_ASSERT(joined.ok());
  count_wire();
  parts_.counters.streams = 0;
  if (!write_failed_ && !commit_failed_ && all_believed()) {
    const Result<void> settled = co_await parts_.map.settle(parts_.counters.counts);
    if (!settled.ok() && !work_.failure) work_.failure = settled.error();
  }
  if (work_.failure) co_return *work_.failure;
  CCR_ASSERT(parts_.map.done_count() == parts_.map.extents());
  co_return Result<void>();
}

// Interrupted: extents that are not in the map yet were not touched in this run, so they are believed if they were when it began.
bool SeedTransfer::all_believed() const {
  for (std::uint32_t extent = 0; extent < parts_.map.extents(); ++extent) {
    if (!parts_.map.done(extent) && !parts_.own.believed(extent)) return false;
  }
  return true;
}

void SeedTransfer::fail(Error error) {
  if (!work_.failure) work_.failure = std::move(error);
  close_all();
  work_.changed.notify();
}

bool SeedTransfer::cut() {
  if (work_.asked == 0) return false;
  close_all();
  return true;
}

void SeedTransfer::close_all() {
  parts_.connection.close();
  for (Stream& stream : streams_) stream.carrier->close();
}

// --- comparing ---------------------------------------------------------------------------------------------------------------

Task<Result<void>> SeedTransfer::plan() {
  for (std::uint32_t extent = 0; extent < parts_.map.extents() && !work_.failure; ++extent) {
    if (parts_.map.done(extent)) continue;
    const std::optional<Digest64> offered = co_await offered_digest(extent);
    if (!offered) break;
    const Result<void> planned = co_await plan_extent(extent, *offered);
    if (!planned.ok()) fail(planned.error());
  }
  work_.planning = false;
  work_.changed.notify();
  co_return Result<void>();
}

void SeedTransfer::declare_chunks() {
  const std::uint32_t extents = parts_.map.extents();
  while (work_.chunks.size() < chunks_ahead_max) {
    while (next_chunk_ < extents && parts_.map.done(next_chunk_)) ++next_chunk_;
    if (next_chunk_ == extents) return;
    const std::uint32_t count = std::min(chunk_extents, extents - next_chunk_);
    work_.chunks.push_back({next_chunk_, count, false, {}});
    next_chunk_ += count;
    work_.changed.notify();
  }
}

Task<std::optional<Digest64>> SeedTransfer::offered_digest(std::uint32_t extent) {
  while (!work_.failure) {
    std::deque<DigestChunk>& chunks = work_.chunks;
    while (!chunks.empty() && extent >= chunks.front().first + chunks.front().count) chunks.pop_front();
    declare_chunks();
    CCR_ASSERT(!chunks.empty() && extent >= chunks.front().first);
    const DigestChunk& chunk = chunks.front();
    if (!chunk.digests.empty()) co_return chunk.digests[extent - chunk.first];
    co_await work_.changed.wait();
  }
  co_return std::nullopt;
}

Task<Result<void>> SeedTransfer::plan_extent(std::uint32_t extent, Digest64 offered) {
  while (!work_.failure && committer_.full()) co_await work_.changed.wait();
  Result<std::optional<std::vector<Digest64>>> found = co_await parts_.own.digests_of(extent);
  if (!found.ok()) co_return found.error();
  const bool counts = found->has_value() && (!parts_.full || parts_.own.fresh(extent));
  ExtentArrival::Own own;
  own.in_table = counts && parts_.own.believed(extent);
  if (counts) own.digests = std::move(**found);
  ExtentFacts facts;
  facts.own = sum_of(own.digests);
  facts.offered = offered;
  facts.own_counts = counts;
  const bool equal = counts && facts.own == offered;
  if (!equal) facts.zeros = parts_.own.fresh(extent) ? facts.own : parts_.own.zeros_of(extent);
  const ExtentVerdict verdict = judge_extent(facts);
  if (verdict == ExtentVerdict::equal) {
    FinishedExtent finished{extent, 0, {}};
    if (!own.in_table) finished.digests = std::move(own.digests);
    finish(std::move(finished), false);
    co_return Result<void>();
  }
  while (!work_.failure && !room()) co_await work_.changed.wait();
  if (work_.failure) co_return Result<void>();
  ExtentArrival arrival(extent, parts_.own.pages(extent), parts_.file.page_size(), std::move(own), take_buffer());
  want(std::move(arrival), verdict);
  co_return Result<void>();
}

void SeedTransfer::want(ExtentArrival arrival, ExtentVerdict verdict) {
  if (verdict == ExtentVerdict::zeros) {
    PagePlan plan{PageBits(arrival.pages().count), PageBits(arrival.pages().count)};
    plan.zeros.set_all();
    arrival.ask(plan);
    arrival.end_of_ask();
    work_.complete.push_back(std::move(arrival));
  } else {
    work_.wanted.push_back({std::move(arrival), verdict});
  }
  work_.changed.notify();
}

bool SeedTransfer::room() const noexcept {
  const std::size_t in_flight = work_.extents_in_flight();
  const bool budgeted = parts_.budget == nullptr || buffers_out_ < ExtentBudget::extents_min || parts_.budget->taken < parts_.budget->most;
  return budgeted && work_.wanted.size() + work_.asked < in_flight && buffers_out_ < in_flight + writers_max;
}

AlignedBuffer SeedTransfer::take_buffer() {
  ++buffers_out_;
  if (parts_.budget != nullptr) ++parts_.budget->taken;
  return AlignedBuffer(storage::extent_bytes, AlignedBuffer::Content::any);
}

void SeedTransfer::give_buffer_back() {
  --buffers_out_;
  if (parts_.budget != nullptr) --parts_.budget->taken;
  work_.changed.notify();
}

// --- writing -----------------------------------------------------------------------------------------------------------------

// Not yet where the last stream is lost and another one on its way: what was asked for in vain is wanted again.
bool SeedTransfer::drained() const noexcept { return work_.streams == 0 && !work_.planning && work_.over(); }

Task<Result<void>> SeedTransfer::write() {
  for (;;) {
    while (work_.complete.empty() && !drained()) co_await work_.changed.wait();
    if (work_.complete.empty()) break;
    ExtentArrival arrival = std::move(work_.complete.front());
    work_.complete.pop_front();
    if (!write_failed_ && !commit_failed_) {
      const Result<void> written = co_await write_extent(arrival);
      if (written.ok()) {
        finish(arrival);
      } else {
        write_failed_ = true;
        fail(written.error());
      }
    }
    give_buffer_back();
  }
  if (--writers_ == 0) committer_.end();
  co_return Result<void>();
}

Task<Result<void>> SeedTransfer::write_extent(const ExtentArrival& arrival) {
  const std::vector<PageRun> runs = arrival.writes();
  for (const PageRun& run : runs) {
    const ByteView images = arrival.images(run);
    Task<Result<void>> write = storage::is_zero(images) ? parts_.file.write_zeros(run.first, images) : parts_.file.write(run.first, images);
    const Result<void> written = co_await std::move(write);
    if (!written.ok())
      co_return written.error().within("seed: write of page " + std::to_string(run.first) + " of " + parts_.file.path());
  }
  co_return Result<void>();
}

void SeedTransfer::finish(const ExtentArrival& arrival) {
  FinishedExtent finished{arrival.extent(), arrival.write_bytes(), arrival.digests()};
  finish(std::move(finished), arrival.asks());
}

void SeedTransfer::finish(FinishedExtent extent, bool sent) {
  SeedCounters& counters = parts_.counters;
  ++(sent ? counters.counts.extents_sent : counters.counts.extents_equal);
  counters.done_bytes += std::uint64_t(parts_.own.pages(extent.extent).count) * parts_.file.page_size();
  committer_.add(std::move(extent));
}

Task<Result<void>> SeedTransfer::commit() {
  const Result<void> committed = co_await committer_.run();
  if (!committed.ok()) {
    commit_failed_ = true;
    fail(committed.error());
  }
  group_.stop();
  co_return Result<void>();
}

// --- time --------------------------------------------------------------------------------------------------------------------

Task<Result<void>> SeedTransfer::tick() {
  for (;;) {
    co_await parts_.clock.sleep(tick_period);
    count_wire();
    sample_rate();
    for (Stream& stream : streams_)
      if (stream.live) stream.carrier->check_silence();
    follow_growth();
    committer_.tick();
    work_.changed.notify();
  }
}

void SeedTransfer::count_wire() noexcept {
  std::uint64_t wire = wire_before_ + bytes_of(parts_.connection) - first_before_;
  for (const Stream& stream : streams_)
    if (stream.own) wire += stream.carrier->wire_bytes();
  parts_.counters.counts.wire_bytes = wire;
}

void SeedTransfer::sample_rate() {
  const Instant now = parts_.clock.now();
  samples_.emplace_back(now, parts_.counters.done_bytes);
  if (samples_.size() > samples_max) samples_.pop_front();
  const Duration elapsed = now - samples_.front().first;
  const std::uint64_t bytes = parts_.counters.done_bytes - samples_.front().second;
  if (elapsed > Duration(0)) {
    parts_.counters.rate = static_cast<std::uint64_t>(double(bytes) / std::chrono::duration<double>(elapsed).count());
  }
}

}  // namespace ccr::seed
