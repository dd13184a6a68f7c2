#include "seed/seed_stream.h"

#include <algorithm>
#include <utility>

#include "seed/extent_packing.h"
#include "seed/pass_question.h"
#include "storage/rate_turn.h"

namespace ccr::seed {
namespace {

using transport::Message;

constexpr std::uint64_t pace_bytes_max = 16 * KiB;
constexpr Duration silence_of_suspected_max = std::chrono::seconds(5);
constexpr Duration silence_among_others_max = std::chrono::seconds(10);  // what one owes the others bring

std::string name_of(std::uint32_t extent) { return "extent " + std::to_string(extent); }

}  // namespace

SeedStream::SeedStream(const Executor& executor, SeedWork& work, transport::FramedConnection& connection)
    : work_(work),
      connection_(connection),
      group_(executor),
      sent_before_(connection.bytes_sent()),
      received_before_(connection.bytes_received()),
      heard_at_(work.clock.now()) {}

Task<Result<void>> SeedStream::run() {
  group_.spawn(ask());
  group_.spawn(receive());
  const Result<void> joined = co_await group_.join();
  CCR_ASSERT(joined.ok());
  if (!failure_) co_return Result<void>();
  give_back();
  co_return *failure_;
}

void SeedStream::retire() {
  retired_ = true;
  work_.changed.notify();
}

std::uint64_t SeedStream::received_bytes() const noexcept { return connection_.bytes_received() - received_before_; }

std::uint64_t SeedStream::wire_bytes() const noexcept { return connection_.bytes_sent() - sent_before_ + received_bytes(); }

bool SeedStream::leaves() const noexcept { return failure_ || work_.over() || (retired_ && owed_ == 0); }

void SeedStream::fail(Error error) {
  if (!failure_) failure_ = std::move(error);
  connection_.close();
  work_.changed.notify();
}

void SeedStream::give_back() {
  for (auto last = asked_.rbegin(); last != asked_.rend(); ++last) {
    last->second.arrival.begin_again();
    work_.wanted.push_front(std::move(last->second));
  }
  work_.asked -= asked_.size();
  ++work_.counters.streams_lost;
  work_.counters.extents_again += asked_.size();
  asked_.clear();
  for (DigestChunk& chunk : work_.chunks) {
    if (std::find(chunks_.begin(), chunks_.end(), chunk.first) != chunks_.end()) chunk.asked = false;
  }
  work_.changed.notify();
}

// --- asking ------------------------------------------------------------------------------------------------------------------

Task<Result<void>> SeedStream::ask() {
  while (!leaves()) {
    const std::optional<Message> next = next_ask();
    if (!next) {
      co_await work_.changed.wait();
      continue;
    }
    const Result<void> sent = co_await connection_.send(*next);
    if (!sent.ok()) fail(sent.error());
  }
  co_return Result<void>();
}

std::optional<Message> SeedStream::next_ask() {
  if (!narrowed_.empty()) {
    const std::uint32_t extent = narrowed_.front();
    narrowed_.pop_front();
    return asked_.at(extent).arrival.message();
  }
  if (retired_) return std::nullopt;
  if (std::optional<Message> digests = ask_for_digests()) return digests;
  if (work_.wanted.empty() || asked_.size() >= work_.in_flight_of_each()) return std::nullopt;
  return ask_for_extent();
}

std::optional<Message> SeedStream::ask_for_digests() {
  for (DigestChunk& chunk : work_.chunks) {
    if (chunk.asked) continue;
    chunk.asked = true;
    chunks_.push_back(chunk.first);
    ++owed_;
    work_.changed.notify();
    return transport::ExtentDigestsAsk{chunk.first, chunk.count};
  }
  return std::nullopt;
}

Message SeedStream::ask_for_extent() {
  WantedExtent wanted = std::move(work_.wanted.front());
  work_.wanted.pop_front();
  const std::uint32_t extent = wanted.arrival.extent();
  Message ask = transport::PageDigestsAsk{extent};
  if (wanted.verdict == ExtentVerdict::whole) {
    wanted.arrival.ask_all();
    ask = wanted.arrival.message();
  }
  asked_.emplace(extent, std::move(wanted));
  ++work_.asked;
  ++owed_;
  work_.changed.notify();
  return ask;
}

// --- receiving ---------------------------------------------------------------------------------------------------------------

Task<Result<void>> SeedStream::receive() {
  for (;;) {
    while (!leaves() && owed_ == 0) co_await work_.changed.wait();
    if (leaves()) break;
    const std::uint64_t before = connection_.bytes_received();
    Result<Message> message = co_await connection_.receive();
    if (!message.ok()) {
      fail(message.error());
      break;
    }
    const Result<void> taken = co_await take(std::move(*message));
    if (!taken.ok()) fail(taken.error());
    work_.changed.notify();
    co_await pace(connection_.bytes_received() - before);
  }
  co_return Result<void>();
}

// What is not read yet makes TCP hold the source back. In small pieces, so that a new limit and an end are noticed soon.
Task<void> SeedStream::pace(std::uint64_t bytes) {
  if (work_.rate == nullptr) co_return;
  pacing_ = true;
  while (bytes > 0 && !failure_ && !work_.failure) {
    const std::uint64_t piece = std::min(bytes, pace_bytes_max);
    bytes -= piece;
    co_await storage::wait_for_rate(work_.clock, *work_.rate, piece);
  }
  pacing_ = false;
}

Task<Result<void>> SeedStream::take(Message message) {
  if (const auto* pages = std::get_if<transport::ExtentPages>(&message)) co_return take_pages(*pages);
  if (const auto* packed = std::get_if<transport::ExtentPacked>(&message)) co_return co_await take_packed(*packed);
  if (const auto* list = std::get_if<transport::PageDigestList>(&message)) co_return take_page_digests(*list);
  if (auto* digests = std::get_if<transport::ExtentDigests>(&message)) co_return take_extent_digests(std::move(*digests));
  if (const auto* refuse = std::get_if<transport::Refuse>(&message)) co_return refusal_of(*refuse);
  co_return violation(std::string(transport::type_name(transport::type_of(message))) + " is no answer of a seed");
}

Result<void> SeedStream::take_extent_digests(transport::ExtentDigests message) {
  const auto mine = std::find(chunks_.begin(), chunks_.end(), message.first);
  for (DigestChunk& chunk : work_.chunks) {
    if (mine == chunks_.end() || chunk.first != message.first || chunk.count != message.digests.size()) continue;
    chunk.digests = std::move(message.digests);
    chunks_.erase(mine);
    --owed_;
    return {};
  }
  return violation("digests of " + std::to_string(message.digests.size()) + " extents from " + std::to_string(message.first) +
                   " on were not asked for");
}

Result<void> SeedStream::take_page_digests(const transport::PageDigestList& message) {
  const auto found = asked_.find(message.extent);
  if (found == asked_.end() || found->second.verdict != ExtentVerdict::narrow || found->second.arrival.asks())
    return violation("page digests of " + name_of(message.extent) + " were not asked for");
  ExtentArrival& arrival = found->second.arrival;
  if (message.digests.size() > storage::pages_per_extent(work_.pass.page_size)) {
    return violation(std::to_string(message.digests.size()) + " page digests of " + name_of(message.extent));
  }
  const auto of_zeros = [this](PageNumber page) { return work_.own_digests.of_zeros(page); };
  const PagePlan plan = plan_pages(arrival.pages().first, arrival.own().digests, message.digests, of_zeros);
  arrival.ask(plan);
  if (!plan.ask.none()) {
    narrowed_.push_back(message.extent);
    return {};
  }
  arrival.end_of_ask();
  complete(message.extent);
  return {};
}

Task<Result<void>> SeedStream::take_packed(const transport::ExtentPacked& message) {
  if (!asked_.contains(message.extent)) co_return violation("pages of " + name_of(message.extent) + " were not asked for");
  Result<transport::ExtentPages> pages = transport::ExtentPages{};
  auto work = [this, &pages, &message] { pages = unpack_extent(message, unpacker_); };
  std::function<void()> on_pool(work);
  CpuPool& cpu = work_.cpu != nullptr ? *work_.cpu : own_cpu_;
  co_await cpu.run(std::move(on_pool));
  if (!pages.ok()) co_return pages.error();
  co_return take_pages(*pages);
}

Result<void> SeedStream::take_pages(const transport::ExtentPages& message) {
  work_.counters.counts.image_bytes += message.images.size();
  const auto found = asked_.find(message.extent);
  if (found == asked_.end()) return violation("pages of " + name_of(message.extent) + " were not asked for");
  CCR_TRY(found->second.arrival.take(message, work_.pass));
  if (found->second.arrival.complete()) complete(message.extent);
  return {};
}

void SeedStream::complete(std::uint32_t extent) {
  auto node = asked_.extract(extent);
  CCR_ASSERT(!node.empty() && node.mapped().arrival.complete());
  work_.complete.push_back(std::move(node.mapped().arrival));
  --owed_;
  --work_.asked;
  ++work_.arrived;
  work_.changed.notify();
}

void SeedStream::suspect() {
  suspected_ = true;
  heard_bytes_ = connection_.bytes_received();
  heard_at_ = work_.clock.now();
}

// Where far more than their turn came over the others since, what keeps this one silent is its own.
Duration SeedStream::silence_max() const noexcept {
  if (suspected_) return silence_of_suspected_max;
  return work_.arrived - arrived_then_ > 4 * work_.extents_in_flight() ? silence_among_others_max : seed_silence_max;
}

void SeedStream::check_silence() {
  const Instant now = work_.clock.now();
  const std::uint64_t received = connection_.bytes_received();
  if (received != heard_bytes_) suspected_ = false;
  if (received != heard_bytes_ || owed_ == 0 || pacing_) {
    heard_bytes_ = received;
    heard_at_ = now;
    arrived_then_ = work_.arrived;
  } else if (now - heard_at_ > silence_max() && !failure_) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - heard_at_).count();
    fail({ErrorKind::timeout, "seed: the source owes " + std::to_string(owed_) + " answers and sent nothing for " + std::to_string(seconds) + " s", ""});
  }
}

}  // namespace ccr::seed
