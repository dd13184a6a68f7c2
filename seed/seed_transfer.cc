#include "seed/seed_transfer.h"

#include <algorithm>
#include <utility>

#include "seed/extent_packing.h"
#include "storage/rate_turn.h"

namespace ccr::seed {
namespace {

using namespace std::chrono_literals;
using transport::Message;

constexpr int writers_max = 4;  // writes of different extents that wait for the disk at once
constexpr std::size_t buffers_max = seed_asks_in_flight_max + writers_max;
constexpr std::uint32_t chunk_extents = 1024;  // digests asked for at a time: 8 KiB for 1 GiB of database
constexpr std::size_t chunks_ahead_max = 2;
constexpr std::uint64_t pace_bytes_max = 16 * KiB;
constexpr Duration tick_period = 500ms;
constexpr std::size_t samples_max = 10;  // the rate is that of the last five seconds
static_assert(chunk_extents <= transport::extent_digests_max);

std::string name_of(std::uint32_t extent) { return "extent " + std::to_string(extent); }

}  // namespace

Error refusal_of(const transport::Refuse& refuse) {
  const bool damaged = refuse.reason == transport::RefuseReason::damaged;
  return {damaged ? ErrorKind::diverged : ErrorKind::refused, "the source ended the seed: " + refuse.text, refuse.hint};
}

SeedTransfer::SeedTransfer(const Executor& executor, Parts parts)
    : parts_(parts),
      group_(executor),
      changed_(executor),
      committer_(changed_, parts.file, parts.digests, parts.map, parts.counters.counts),
      writers_(writers_max),
      wire_before_(parts.counters.counts.wire_bytes) {
  wire_before_ -= parts_.connection.bytes_sent() + parts_.connection.bytes_received();
  heard_at_ = parts_.clock.now();
}

Task<Result<void>> SeedTransfer::run() {
  group_.spawn(plan());
  group_.spawn(receive());
  for (int i = 0; i < writers_max; ++i) group_.spawn(write());
  group_.spawn(commit());
  group_.spawn(tick());
  const Result<void> joined = co_await group_.join();
  CCR_ASSERT(joined.ok());
  count_wire();
  if (!write_failed_ && !commit_failed_ && all_believed()) {
    const Result<void> settled = co_await parts_.map.settle(parts_.counters.counts);
    if (!settled.ok() && !failure_) failure_ = settled.error();
  }
  if (failure_) co_return *failure_;
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
  if (!failure_) failure_ = std::move(error);
  parts_.connection.close();
  changed_.notify();
}

// --- asking ------------------------------------------------------------------------------------------------------------------

Task<Result<void>> SeedTransfer::plan() {
  for (std::uint32_t extent = 0; extent < parts_.map.extents() && !failure_; ++extent) {
    if (parts_.map.done(extent)) continue;
    const std::optional<Digest64> offered = co_await offered_digest(extent);
    if (!offered) break;
    const Result<void> planned = co_await plan_extent(extent, *offered);
    if (!planned.ok()) fail(planned.error());
  }
  planning_ = false;
  changed_.notify();
  co_return Result<void>();
}

Task<void> SeedTransfer::ask_for_digests() {
  while (chunks_.size() < chunks_ahead_max && !failure_) {
    const std::uint32_t extents = parts_.map.extents();
    while (next_chunk_ < extents && parts_.map.done(next_chunk_)) ++next_chunk_;
    if (next_chunk_ == extents) co_return;
    const std::uint32_t count = std::min(chunk_extents, extents - next_chunk_);
    const Message ask = transport::ExtentDigestsAsk{next_chunk_, count};
    chunks_.push_back({next_chunk_, count, {}});
    next_chunk_ += count;
    ++owed_;
    changed_.notify();
    const Result<void> sent = co_await parts_.connection.send(ask);
    if (!sent.ok()) fail(sent.error());
  }
}

Task<std::optional<Digest64>> SeedTransfer::offered_digest(std::uint32_t extent) {
  while (!failure_) {
    while (!chunks_.empty() && extent >= chunks_.front().first + chunks_.front().count) chunks_.pop_front();
    co_await ask_for_digests();
    if (failure_) break;
    CCR_ASSERT(!chunks_.empty() && extent >= chunks_.front().first);
    const DigestChunk& chunk = chunks_.front();
    if (!chunk.digests.empty()) co_return chunk.digests[extent - chunk.first];
    co_await changed_.wait();
  }
  co_return std::nullopt;
}

Task<Result<void>> SeedTransfer::plan_extent(std::uint32_t extent, Digest64 offered) {
  while (!failure_ && committer_.full()) co_await changed_.wait();
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
  while (!failure_ && !room()) co_await changed_.wait();
  if (failure_) co_return Result<void>();
  ExtentArrival arrival(extent, parts_.own.pages(extent), parts_.file.page_size(), std::move(own), take_buffer());
  co_return co_await fetch(std::move(arrival), verdict);
}

Task<Result<void>> SeedTransfer::fetch(ExtentArrival arrival, ExtentVerdict verdict) {
  const std::uint32_t extent = arrival.extent();
  Message ask;
  if (verdict == ExtentVerdict::narrow) {
    ask = transport::PageDigestsAsk{extent};
  } else if (verdict == ExtentVerdict::whole) {
    arrival.ask_all();
    ask = arrival.message();
  } else {
    PagePlan plan{PageBits(arrival.pages().count), PageBits(arrival.pages().count)};
    plan.zeros.set_all();
    arrival.ask(plan);
    arrival.end_of_ask();
    complete_.push_back(std::move(arrival));
    changed_.notify();
    co_return Result<void>();
  }
  arrivals_.emplace(extent, std::move(arrival));
  ++owed_;
  ++on_wire_;
  changed_.notify();
  co_return co_await parts_.connection.send(ask);
}

bool SeedTransfer::room() const noexcept { return on_wire_ < seed_asks_in_flight_max && buffers_out_ < buffers_max; }

AlignedBuffer SeedTransfer::take_buffer() {
  CCR_ASSERT(buffers_out_ < buffers_max);
  ++buffers_out_;
  if (buffers_.empty()) return AlignedBuffer(storage::extent_bytes, AlignedBuffer::Content::any);
  AlignedBuffer buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

// --- receiving ---------------------------------------------------------------------------------------------------------------

Task<Result<void>> SeedTransfer::receive() {
  for (;;) {
    while (!failure_ && owed_ == 0 && planning_) co_await changed_.wait();
    if (failure_ || owed_ == 0) break;
    const std::uint64_t before = parts_.connection.bytes_received();
    Result<Message> message = co_await parts_.connection.receive();
    if (!message.ok()) {
      fail(message.error());
      break;
    }
    count_wire();
    const Result<void> taken = co_await take(std::move(*message));
    if (!taken.ok()) fail(taken.error());
    changed_.notify();
    co_await pace(parts_.connection.bytes_received() - before);
  }
  receiving_ = false;
  changed_.notify();
  co_return Result<void>();
}

// What is not read yet makes TCP hold the source back. In small pieces, so that a new limit and an end are noticed soon.
Task<void> SeedTransfer::pace(std::uint64_t bytes) {
  if (parts_.rate == nullptr) co_return;
  pacing_ = true;
  while (bytes > 0 && !failure_) {
    const std::uint64_t piece = std::min(bytes, pace_bytes_max);
    bytes -= piece;
    co_await storage::wait_for_rate(parts_.clock, *parts_.rate, piece);
  }
  pacing_ = false;
}

Task<Result<void>> SeedTransfer::take(Message message) {
  if (const auto* pages = std::get_if<transport::ExtentPages>(&message)) co_return take_pages(*pages);
  if (const auto* packed = std::get_if<transport::ExtentPacked>(&message)) co_return co_await take_packed(*packed);
  if (auto* list = std::get_if<transport::PageDigestList>(&message)) co_return co_await take_page_digests(std::move(*list));
  if (auto* digests = std::get_if<transport::ExtentDigests>(&message)) co_return take_extent_digests(std::move(*digests));
  if (const auto* refuse = std::get_if<transport::Refuse>(&message)) co_return refusal_of(*refuse);
  co_return violation(std::string(transport::type_name(transport::type_of(message))) + " is no answer of a seed");
}

Result<void> SeedTransfer::take_extent_digests(transport::ExtentDigests message) {
  for (DigestChunk& chunk : chunks_) {
    if (chunk.first != message.first || chunk.count != message.digests.size() || !chunk.digests.empty()) continue;
    chunk.digests = std::move(message.digests);
    --owed_;
    return {};
  }
  return violation("digests of " + std::to_string(message.digests.size()) + " extents from " + std::to_string(message.first) +
                   " on were not asked for");
}

Task<Result<void>> SeedTransfer::take_page_digests(transport::PageDigestList message) {
  const auto found = arrivals_.find(message.extent);
  if (found == arrivals_.end() || found->second.asks())
    co_return violation("page digests of " + name_of(message.extent) + " were not asked for");
  ExtentArrival& arrival = found->second;
  const PageRun pages = arrival.pages();
  if (message.digests.size() > storage::pages_per_extent(parts_.file.page_size())) {
    co_return violation(std::to_string(message.digests.size()) + " page digests of " + name_of(message.extent));
  }
  const auto of_zeros = [this](PageNumber page) { return parts_.digests.of_zeros(page); };
  const PagePlan plan = plan_pages(pages.first, arrival.own().digests, message.digests, of_zeros);
  arrival.ask(plan);
  if (plan.ask.none()) {
    arrival.end_of_ask();
    complete(message.extent);
    co_return Result<void>();
  }
  const Message ask = arrival.message();
  co_return co_await parts_.connection.send(ask);
}

Task<Result<void>> SeedTransfer::take_packed(const transport::ExtentPacked& message) {
  if (!arrivals_.contains(message.extent)) co_return violation("pages of " + name_of(message.extent) + " were not asked for");
  Result<transport::ExtentPages> pages = transport::ExtentPages{};
  auto work = [this, &pages, &message] { pages = unpack_extent(message, unpacker_); };
  std::function<void()> on_pool(work);
  CpuPool& cpu = parts_.cpu != nullptr ? *parts_.cpu : own_cpu_;
  co_await cpu.run(std::move(on_pool));
  if (!pages.ok()) co_return pages.error();
  co_return take_pages(*pages);
}

Result<void> SeedTransfer::take_pages(const transport::ExtentPages& message) {
  parts_.counters.counts.image_bytes += message.images.size();
  const auto found = arrivals_.find(message.extent);
  if (found == arrivals_.end()) return violation("pages of " + name_of(message.extent) + " were not asked for");
  CCR_TRY(found->second.take(message, parts_.map.pass()));
  if (found->second.complete()) complete(message.extent);
  return {};
}

void SeedTransfer::complete(std::uint32_t extent) {
  auto node = arrivals_.extract(extent);
  CCR_ASSERT(!node.empty() && node.mapped().complete());
  complete_.push_back(std::move(node.mapped()));
  --owed_;
  --on_wire_;
  changed_.notify();
}

// --- writing -----------------------------------------------------------------------------------------------------------------

Task<Result<void>> SeedTransfer::write() {
  for (;;) {
    while (complete_.empty() && (planning_ || receiving_)) co_await changed_.wait();
    if (complete_.empty()) break;
    ExtentArrival arrival = std::move(complete_.front());
    complete_.pop_front();
    if (!write_failed_ && !commit_failed_) {
      const Result<void> written = co_await write_extent(arrival);
      if (written.ok()) {
        finish(arrival);
      } else {
        write_failed_ = true;
        fail(written.error());
      }
    }
    buffers_.push_back(arrival.take_buffer());
    --buffers_out_;
    changed_.notify();
  }
  if (--writers_ == 0) committer_.end();
  co_return Result<void>();
}

Task<Result<void>> SeedTransfer::write_extent(const ExtentArrival& arrival) {
  const std::vector<PageRun> runs = arrival.writes();
  for (const PageRun& run : runs) {
    const ByteView images = arrival.images(run);
    const Result<void> written = co_await parts_.file.write(run.first, images);
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
    check_silence();
    committer_.tick();
    changed_.notify();
  }
}

void SeedTransfer::count_wire() noexcept {
  parts_.counters.counts.wire_bytes = wire_before_ + parts_.connection.bytes_sent() + parts_.connection.bytes_received();
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

void SeedTransfer::check_silence() {
  const Instant now = parts_.clock.now();
  const std::uint64_t received = parts_.connection.bytes_received();
  if (received != heard_bytes_ || owed_ == 0 || pacing_) {
    heard_bytes_ = received;
    heard_at_ = now;
  } else if (now - heard_at_ > seed_silence_max && !failure_) {
    fail({ErrorKind::timeout, "seed: the source owes " + std::to_string(owed_) + " answers and sent nothing for 60 s", ""});
  }
}

}  // namespace ccr::seed
