#include "seed/seed_source.h"

#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "base/queue.h"
#include "base/task_group.h"
#include "seed/extent_packing.h"
#include "seed/seed_plan.h"
#include "storage/log_format.h"
#include "storage/rate_turn.h"

namespace ccr::seed {
namespace {

using transport::Message;

constexpr std::size_t reads_in_flight_max = 4;  // hides the latency of a disk behind the sending; more gave nothing on one stream
constexpr std::size_t answers_queued_max = 2;
constexpr std::size_t asks_queued_max = 48;             // a target's extents in flight, its digest asks, and some room
constexpr std::uint64_t read_gap_bytes_max = 64 * KiB;  // pages this close are read in one go: cheaper than a second read
static_assert(asks_queued_max > 2 * seed_asks_in_flight_max);

// The messages of one ask, in order; their images view the reads that are kept with them, or what was packed.
struct Answer {
  std::vector<Message> messages;
  std::vector<SeedRead> reads;
  ExtentPacking::Packed packed;
};

std::uint64_t wire_bytes_of(const Message& message) {
  return transport::tail_of(message).size() + transport::encode(message, true).size() + transport::frame_header_bytes;
}

class SeedServer {
 public:
  SeedServer(const Executor& executor, transport::FramedConnection& connection, SeedPages& pages, std::string node,
             SeedLimits limits)
      : group_(executor),
        asks_(executor, asks_queued_max),
        answers_(executor, answers_queued_max),
        connection_(connection),
        pages_(pages),
        node_(std::move(node)),
        limits_(std::move(limits)) {
    CCR_ASSERT((limits_.rate == nullptr && limits_.cpu == nullptr) || limits_.clock != nullptr);
    if (limits_.cpu != nullptr) packing_.emplace(*limits_.clock, *limits_.cpu, limits_.compression);
    if (limits_.share != nullptr) share_.emplace(*limits_.share, limits_.seed);
  }

  Task<Result<void>> run() {
    group_.spawn(receive());
    for (std::size_t i = 0; i < reads_in_flight_max; ++i) group_.spawn(work());
    group_.spawn(send());
    co_return co_await group_.join();
  }

 private:
  Task<Result<void>> receive();
  Task<Result<void>> work();
  Task<Result<void>> send();
  Task<Result<void>> send_in_turn(const Message& message, Duration packing);
  Task<Result<void>> send_pages(const Message& message, Duration packing);
  Task<Result<Answer>> answer(Message ask);
  Task<Result<Answer>> open(transport::SeedOpen ask);
  Task<Result<Answer>> finish();
  Task<Result<Answer>> release();
  Task<Result<Answer>> verify(transport::VerifyAsk ask);
  Task<Result<Answer>> read_extent(transport::ExtentAsk ask);
  Result<Answer> digests_of_extents(const transport::ExtentDigestsAsk& ask) const;
  Result<Answer> digests_of_pages(const transport::PageDigestsAsk& ask) const;
  Result<void> check_read(const PageRun& asked, const SeedRead& read) const;

  TaskGroup group_;
  BoundedQueue<Message> asks_;
  BoundedQueue<Answer> answers_;
  transport::FramedConnection& connection_;
  SeedPages& pages_;
  std::string node_;
  SeedLimits limits_;
  std::optional<ExtentPacking> packing_;
  std::optional<FairShare::Stream> share_;
  std::optional<Error> failure_;
  Position from_;          // P of the pass that is open here; generation 0: none
  bool finished_ = false;  // Q was named
};

Answer answer_of(Message message) {
  Answer answer;
  answer.messages.push_back(std::move(message));
  return answer;
}

Task<Result<void>> SeedServer::receive() {
  for (;;) {
    Result<Message> ask = co_await connection_.receive();
    if (!ask.ok()) {
      const bool over = ask.error().kind == ErrorKind::disconnected && (finished_ || !from_.known());
      if (!over) co_return ask.error();
      group_.stop();
      co_return Result<void>();
    }
    if (!co_await asks_.push(std::move(*ask))) co_return Result<void>();
  }
}

Task<Result<void>> SeedServer::work() {
  for (;;) {
    std::optional<Message> ask = co_await asks_.pop();
    if (!ask) co_return Result<void>();
    Result<Answer> found = co_await answer(std::move(*ask));
    if (failure_) co_return Result<void>();
    if (found.ok()) {
      if (packing_) co_await packing_->pack(found->messages, found->packed);
      if (!co_await answers_.push(std::move(*found))) co_return Result<void>();
      continue;
    }
    failure_ = found.error();
    asks_.close();
    answers_.close();
    co_return Result<void>();
  }
}

// What was read before a failure is sent yet, then the peer hears why nothing follows.
Task<Result<void>> SeedServer::send() {
  for (;;) {
    const std::optional<Answer> next = co_await answers_.pop();
    if (!next) break;
    Duration packing = next->packed.took;
    for (const Message& message : next->messages) {
      if (limits_.rate != nullptr) co_await storage::wait_for_rate(*limits_.clock, *limits_.rate, wire_bytes_of(message));
      CCR_CO_TRY(co_await send_in_turn(message, packing));
      packing = Duration::zero();
    }
  }
  CCR_ASSERT(failure_.has_value());
  using transport::RefuseReason;
  transport::Refuse refuse;
  refuse.reason = failure_->kind == ErrorKind::protocol  ? RefuseReason::protocol
                  : failure_->kind == ErrorKind::corrupt ? RefuseReason::damaged
                                                         : RefuseReason::not_ready;
  refuse.text = failure_->message;
  refuse.hint = failure_->hint;
  const Message told = std::move(refuse);
  CCR_CO_TRY(co_await connection_.send(told));
  co_return *failure_;
}

Task<Result<void>> SeedServer::send_in_turn(const Message& message, Duration packing) {
  if (!share_ || transport::tail_of(message).empty()) co_return co_await send_pages(message, packing);
  FairShare::Turn turn = co_await limits_.share->turn(*share_);
  CCR_CO_TRY(co_await send_pages(message, packing));
  turn.sent(wire_bytes_of(message));
  co_return Result<void>();
}

Task<Result<void>> SeedServer::send_pages(const Message& message, Duration packing) {
  if (!packing_) co_return co_await connection_.send(message);
  const Instant began = limits_.clock->now();
  CCR_CO_TRY(co_await connection_.send(message));
  packing_->sent(message, wire_bytes_of(message), packing, limits_.clock->now() - began);
  co_return Result<void>();
}

Task<Result<Answer>> SeedServer::answer(Message ask) {
  if (const auto* opened = std::get_if<transport::SeedOpen>(&ask)) co_return co_await open(*opened);
  if (const auto* verified = std::get_if<transport::VerifyAsk>(&ask)) co_return co_await verify(*verified);
  if (std::holds_alternative<transport::SeedRelease>(ask)) co_return co_await release();
  if (!from_.known()) co_return violation("asked for before a pass was opened");
  CCR_CO_TRY(pages_.check());
  if (const auto* extents = std::get_if<transport::ExtentDigestsAsk>(&ask)) co_return digests_of_extents(*extents);
  if (const auto* pages = std::get_if<transport::PageDigestsAsk>(&ask)) co_return digests_of_pages(*pages);
  if (auto* extent = std::get_if<transport::ExtentAsk>(&ask)) co_return co_await read_extent(std::move(*extent));
  if (std::holds_alternative<transport::SeedFinish>(ask)) co_return co_await finish();
  co_return violation(std::string(transport::type_name(transport::type_of(ask))) + " is no ask of a seed");
}

Task<Result<Answer>> SeedServer::open(transport::SeedOpen ask) {
  const Result<transport::SeedOffer> offer = co_await pages_.open(node_, ask.resume_from);
  if (!offer.ok()) co_return offer.error();
  CCR_ASSERT(offer->from.known());
  from_ = offer->from;
  finished_ = false;
  co_return answer_of(*offer);
}

Task<Result<Answer>> SeedServer::finish() {
  const Result<transport::SeedEnd> end = co_await pages_.finish(node_);
  if (!end.ok()) co_return end.error();
  finished_ = true;
  co_return answer_of(*end);
}

Task<Result<Answer>> SeedServer::release() {
  CCR_CO_TRY(co_await pages_.release(node_));
  from_ = {};
  co_return Answer{};
}

Task<Result<Answer>> SeedServer::verify(transport::VerifyAsk ask) {
  Result<VerifyExtent> found = co_await pages_.verify(ask.extent);
  if (!found.ok()) co_return found.error();
  CCR_ASSERT(found->disk.size() == found->table.size());
  transport::VerifyAnswer told;
  told.extent = ask.extent;
  told.as_of = found->as_of;
  told.commit = found->commit;
  told.page_count = found->page_count;
  told.disk = std::move(found->disk);
  told.table = std::move(found->table);
  co_return answer_of(std::move(told));
}

Result<Answer> SeedServer::digests_of_extents(const transport::ExtentDigestsAsk& ask) const {
  transport::ExtentDigests told;
  told.first = ask.first;
  told.digests.reserve(ask.count);
  for (std::uint32_t i = 0; i < ask.count; ++i) told.digests.push_back(pages_.extent_digest(ask.first + i));
  return answer_of(std::move(told));
}

Result<Answer> SeedServer::digests_of_pages(const transport::PageDigestsAsk& ask) const {
  transport::PageDigestList told;
  told.extent = ask.extent;
  const PageRun pages = pages_of_extent(ask.extent, pages_.page_count(), pages_.page_size());
  told.digests.reserve(pages.count);
  for (std::uint32_t i = 0; i < pages.count; ++i) told.digests.push_back(pages_.page_digest(pages.first + i));
  return answer_of(std::move(told));
}

Result<void> SeedServer::check_read(const PageRun& asked, const SeedRead& read) const {
  CCR_ASSERT(read.first == asked.first && read.count <= asked.count);
  CCR_ASSERT(read.images.size() >= std::uint64_t(read.count) * pages_.page_size());
  if (read.as_of >= from_) return {};
  return Error{ErrorKind::refused,
               "page " + std::to_string(asked.first) + " is as of " + to_text(read.as_of) + ", before the pass's " + to_text(from_),
               ""};
}

// Turns what was read into messages: runs of pages that were wanted and are not zeros.
class ExtentAnswer {
 public:
  ExtentAnswer(std::uint32_t extent, PageNumber first, const PageBits& wanted, std::uint32_t page_size)
      : extent_(extent), first_(first), wanted_(wanted), page_size_(page_size) {}

  void add(SeedRead read) {
    answer_.reads.push_back(std::move(read));
    const SeedRead& kept = answer_.reads.back();
    const ByteView images = kept.images.view();
    last_as_of_ = kept.as_of;
    last_page_count_ = kept.page_count;
    std::uint32_t run = 0;  // pages in the run that ends at i
    for (std::uint32_t i = 0; i <= kept.count; ++i) {
      const bool sent =
          i < kept.count && wanted_.test(kept.first + i - first_) && !storage::is_zero(images.subspan(i * page_size_, page_size_));
      if (sent) {
        ++run;
      } else if (run > 0) {
        push(kept.first + i - run, images.subspan((i - run) * page_size_, run * page_size_));
        run = 0;
      }
    }
  }

  Answer take() {
    if (answer_.messages.empty()) push(0, {});
    std::get<transport::ExtentPages>(answer_.messages.back()).last = true;
    return std::move(answer_);
  }

 private:
  void push(PageNumber first, ByteView images) {
    transport::ExtentPages pages;
    pages.extent = extent_;
    pages.as_of = last_as_of_;
    pages.page_count = last_page_count_;
    pages.first = first;
    pages.images = images;
    answer_.messages.push_back(pages);
  }

  std::uint32_t extent_;
  PageNumber first_;
  const PageBits& wanted_;
  std::uint32_t page_size_;
  Position last_as_of_;
  PageNumber last_page_count_ = 0;
  Answer answer_;
};

Task<Result<Answer>> SeedServer::read_extent(transport::ExtentAsk ask) {
  const std::uint32_t page_size = pages_.page_size();
  const PageRun whole = pages_of_extent(ask.extent, std::numeric_limits<PageNumber>::max(), page_size);
  if (whole.count == 0) co_return violation("extent " + std::to_string(ask.extent) + " cannot be");
  PageBits wanted(whole.count);
  if (ask.pages.empty()) {
    wanted.set_all();
  } else {
    Result<PageBits> decoded = PageBits::decode(whole.count, ask.pages);
    if (!decoded.ok()) co_return decoded.error();
    wanted = std::move(*decoded);
  }
  if (wanted.none()) co_return violation("asked for no page of extent " + std::to_string(ask.extent));
  ExtentAnswer answer(ask.extent, whole.first, wanted, page_size);
  const std::uint32_t gap_max = static_cast<std::uint32_t>(read_gap_bytes_max / page_size);
  const std::vector<PageRun> spans = wanted.runs(whole.first, gap_max);
  for (const PageRun span : spans) {
    Result<SeedRead> read = co_await pages_.read(span.first, span.count);
    if (!read.ok()) co_return read.error();
    CCR_CO_TRY(check_read(span, *read));
    answer.add(std::move(*read));
  }
  co_return answer.take();
}

}  // namespace

Task<Result<void>> serve_seed(transport::FramedConnection& connection, SeedPages& pages, std::string node, SeedLimits limits) {
  const Executor executor = co_await asio::this_coro::executor;
  SeedServer server(executor, connection, pages, std::move(node), std::move(limits));
  co_return co_await server.run();
}

}  // namespace ccr::seed
