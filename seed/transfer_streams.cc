// The streams of a transfer: which there are, and what becomes of it where one goes.
#include <algorithm>
#include <utility>

#include "seed/pass_question.h"
#include "seed/seed_transfer.h"

namespace ccr::seed {
namespace {

bool by_the_link(ErrorKind kind) { return kind == ErrorKind::disconnected || kind == ErrorKind::timeout; }

}  // namespace

Task<Result<void>> SeedTransfer::begin_streams() {
  opening_ = true;
  if (parts_.streams.first_carries) add_stream(nullptr, 0);
  const std::size_t more = growth_.wanted() - streams_.size();
  const std::size_t first = opened_;
  opened_ += more;
  for (std::size_t i = 0; i < more && !work_.over(); ++i) co_await open_one(first + i);
  opening_ = false;
  go_on_or_fail();
  co_return Result<void>();
}

void SeedTransfer::add_stream(std::unique_ptr<transport::FramedConnection> own, std::size_t number) {
  transport::FramedConnection& connection = own ? *own : parts_.connection;
  streams_.push_back({std::move(own), std::make_unique<SeedStream>(executor_, work_, connection), number});
  parts_.counters.streams = ++work_.streams;
  group_.spawn(carry(streams_.back()));
  work_.changed.notify();
}

// A connection that stands at the pass's P: what is asked for over it is answered as over the first.
Task<Result<std::unique_ptr<transport::FramedConnection>>> SeedTransfer::join_pass(std::size_t number) {
  Result<std::unique_ptr<transport::FramedConnection>> connection = co_await parts_.streams.further->connect(number);
  if (!connection.ok()) co_return connection.error();
  const Position from = parts_.map.pass().from;
  const transport::Message question = transport::SeedOpen{from};
  const Result<transport::SeedOffer> offer = co_await ask_once<transport::SeedOffer>(parts_.clock, **connection, question, "SeedOffer");
  if (!offer.ok()) co_return offer.error();
  if (!offer->resumed || offer->from != from || offer->page_size != parts_.map.pass().page_size) {
    co_return Error{ErrorKind::protocol, "seed: a stream was offered pages from " + to_text(offer->from) + " on, asked was " + to_text(from), ""};
  }
  co_return std::move(*connection);
}

Task<Result<void>> SeedTransfer::open_stream() {
  std::size_t number = opened_;
  if (vacant_.empty()) {
    ++opened_;
  } else {
    number = vacant_.front();
    vacant_.pop_front();
  }
  co_await open_one(number);
  opening_ = false;
  go_on_or_fail();
  co_return Result<void>();
}

Task<void> SeedTransfer::open_one(std::size_t number) {
  Result<std::unique_ptr<transport::FramedConnection>> joined = co_await join_pass(number);
  if (work_.over()) co_return;
  if (joined.ok()) co_return add_stream(std::move(*joined), number);
  const ErrorKind kind = joined.error().kind;
  const bool later = by_the_link(kind) || kind == ErrorKind::unreachable || kind == ErrorKind::busy || kind == ErrorKind::refused;
  stream_lost(later ? std::optional(number) : std::nullopt);
  parts_.streams.further->lost(joined.error());
  if (!lost_) lost_ = joined.error();
}

// `vacant`: the number of one that may come back.
void SeedTransfer::stream_lost(std::optional<std::size_t> vacant) {
  if (!vacant) return growth_.settle();
  growth_.lost(parts_.clock.now());
  vacant_.push_back(*vacant);
}

Task<Result<void>> SeedTransfer::carry(Stream& stream) {
  const Result<void> ended = co_await stream.carrier->run();
  stream.live = false;
  parts_.counters.streams = --work_.streams;
  if (stream.own) stream.own->close();
  if (!ended.ok()) stream_ended(stream, ended.error());
  work_.changed.notify();
  co_return Result<void>();
}

// A copy whose page is damaged is no source; what the original is says only the active one.
void SeedTransfer::stream_ended(const Stream& stream, Error error) {
  if (work_.failure) return;
  const bool cut = by_the_link(error.kind);
  if (!stream.own && !cut) return fail(std::move(error));
  if (stream.own && error.kind == ErrorKind::diverged) error.kind = ErrorKind::refused;
  if (cut) {
    for (const Stream& other : streams_)
      if (other.live) other.carrier->suspect();
  }
  stream_lost(cut ? std::optional(stream.own ? stream.number : opened_++) : std::nullopt);
  tell_lost(std::move(error));
  go_on_or_fail();
}

void SeedTransfer::tell_lost(Error error) {
  if (parts_.streams.further != nullptr) parts_.streams.further->lost(error);
  lost_ = std::move(error);
}

void SeedTransfer::go_on_or_fail() {
  if (work_.streams == 0 && !opening_ && !work_.over()) fail(lost_.value());
}

// Nothing but the way, or who sends, keeps more from coming.
bool SeedTransfer::streams_limit() const noexcept {
  const bool paced = std::any_of(streams_.begin(), streams_.end(), [](const Stream& s) { return s.live && s.carrier->pacing(); });
  return !paced && work_.planning && work_.wanted.size() + work_.asked >= work_.extents_in_flight();
}

void SeedTransfer::follow_growth() {
  if (parts_.streams.further == nullptr || work_.over() || opening_) return;
  std::uint64_t received = 0;
  for (const Stream& stream : streams_) received += stream.carrier->received_bytes();
  growth_.look(parts_.clock.now(), received, streams_limit());
  const auto carries = [](const Stream& s) { return s.live && !s.carrier->retired(); };
  const auto now = static_cast<std::size_t>(std::count_if(streams_.begin(), streams_.end(), carries));
  if (now < growth_.wanted()) {
    if (!growth_.may_open(parts_.clock.now())) return;
    opening_ = true;
    group_.spawn(open_stream());
  } else if (now > growth_.wanted()) {
    std::find_if(streams_.rbegin(), streams_.rend(), carries)->carrier->retire();
  }
}

void SeedTransfer::change_streams(std::size_t least, std::size_t most) {
  CCR_ASSERT(parts_.streams.further != nullptr);
  growth_.change(least, most);
}

}  // namespace ccr::seed
