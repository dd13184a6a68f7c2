#include "transport/framed_connection.h"

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <optional>
#include <utility>

#include "base/signal.h"
#include "transport/one_at_a_time.h"

namespace ccr::transport {
namespace {

constexpr std::size_t body_buffer_min = 8 * KiB;
constexpr int small_in_a_row_max = 16;  // bodies that fit body_buffer_min; then a larger buffer is given up
constexpr int without_buffer_in_a_row_max = 8;  // bodies; then there is no buffer any more. Fewer than come before a connection rests
constexpr std::uint8_t handshake_type_max = 3;  // Hello, Welcome, Refuse
static_assert(AlignedBuffer::alignment % log_block_bytes == 0);
static_assert(handshake_body_max <= FramedConnection::read_ahead_bytes);  // whoever is not proven has no other buffer

// Where the body goes in the buffer so that its tail is aligned.
std::size_t body_start(std::uint8_t type) noexcept {
  const std::size_t offset = tail_offset(type);
  return offset == 0 ? 0 : AlignedBuffer::alignment - offset;
}

Error violation(std::string what) { return {ErrorKind::protocol, std::move(what), ""}; }

}  // namespace

struct FramedConnection::State {
  State(const Executor& executor, std::unique_ptr<Connection> opened)
      : connection(std::move(opened)), peer(connection->peer()), turn(executor), ahead(read_ahead_bytes) {}

  Error fail(const Error& error);
  Task<Result<void>> read_ahead(std::size_t size);
  Task<Result<void>> read_header();
  Task<Result<void>> read_body();
  Task<Result<void>> read_into_buffer();
  Result<void> check_header(const FrameHeader& header) const;
  Result<Message> take_message();

  std::unique_ptr<Connection> connection;
  Endpoint peer;
  std::optional<Error> failure;
  std::uint64_t session = 0;
  bool established = false;

  // Sending: the ticket at the front writes.
  Signal turn;
  std::deque<std::uint64_t> tickets;
  std::uint64_t next_ticket = 0;
  std::uint64_t sequence_sent = 0;
  std::uint64_t bytes_sent = 0;

  // Receiving: kept here and not in the coroutine, so that a stopped receive() can be taken up again.
  bool receiving = false;
  Bytes ahead;  // [ahead_begin, ahead_end) was read and not used yet
  std::size_t ahead_begin = 0, ahead_end = 0;
  std::optional<FrameHeader> incoming;  // the header of the body that is being read
  AlignedBuffer buffer;                 // of bodies that do not fit into `ahead`, or whose tail is to be aligned
  ByteView body;                        // in one of the two
  int small_in_a_row = 0, without_buffer_in_a_row = 0;
  std::size_t body_filled = 0;
  std::uint64_t sequence_received = 0;
  std::uint64_t bytes_received = 0;
};

namespace {

template <class State>
class Ticket {
 public:
  explicit Ticket(State& state) : state_(state), number_(state.next_ticket++) { state_.tickets.push_back(number_); }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  ~Ticket() {
    if (writing_) state_.fail({ErrorKind::disconnected, "a send was stopped inside a frame", ""});
    std::erase(state_.tickets, number_);
    state_.turn.notify();
  }
  bool is_next() const noexcept { return state_.tickets.front() == number_; }
  void set_writing(bool writing) noexcept { writing_ = writing; }

 private:
  State& state_;
  std::uint64_t number_;
  bool writing_ = false;
};

}  // namespace

Error FramedConnection::State::fail(const Error& error) {
  if (!failure) {
    failure = error.within(peer.text());
    connection->close();
    turn.notify();
  }
  return *failure;
}

Result<void> FramedConnection::State::check_header(const FrameHeader& header) const {
  const std::string name = type_name(header.type);
  if (header.session != session) {
    return violation("frame " + name + " of session " + to_hex(header.session) + ", this connection's is " + to_hex(session));
  }
  if (header.sequence != sequence_received + 1) {
    return violation("frame " + name + " with sequence " + std::to_string(header.sequence) + ", expected " +
                     std::to_string(sequence_received + 1));
  }
  if (!established && header.type > handshake_type_max) return violation("frame " + name + " before the handshake ended");
  return {};
}

// Until that much lies ahead.
Task<Result<void>> FramedConnection::State::read_ahead(std::size_t size) {
  CCR_ASSERT(size <= ahead.size());
  if (ahead_end - ahead_begin < size && ahead_begin > 0) {
    std::copy(ahead.begin() + std::ptrdiff_t(ahead_begin), ahead.begin() + std::ptrdiff_t(ahead_end), ahead.begin());
    ahead_end -= ahead_begin;
    ahead_begin = 0;
  }
  while (ahead_end - ahead_begin < size) {
    const ByteSpan room = ByteSpan(ahead).subspan(ahead_end);
    const Result<std::size_t> count = co_await connection->read_some(room);
    if (!count.ok()) co_return count.error();
    CCR_ASSERT(*count > 0 && *count <= room.size());
    ahead_end += *count;
    bytes_received += *count;
  }
  co_return Result<void>();
}

Task<Result<void>> FramedConnection::State::read_header() {
  CCR_CO_TRY(co_await read_ahead(frame_header_bytes));
  const ByteView bytes = ByteView(ahead).subspan(ahead_begin, frame_header_bytes);
  const Result<FrameHeader> header = decode_frame_header(bytes, established ? frame_body_max : handshake_body_max);
  if (!header.ok()) co_return header.error();
  CCR_CO_TRY(check_header(*header));
  ahead_begin += frame_header_bytes;
  incoming = *header;
  body_filled = 0;
  co_return Result<void>();
}

// Heartbeats stay where they were read: a connection on which nothing else comes has no other buffer.
Task<Result<void>> FramedConnection::State::read_body() {
  CCR_ASSERT(incoming.has_value());
  const std::size_t size = incoming->body_bytes;
  if (tail_offset(incoming->type) != 0 || size > ahead.size()) {
    without_buffer_in_a_row = 0;
    co_return co_await read_into_buffer();
  }
  CCR_CO_TRY(co_await read_ahead(size));
  if (++without_buffer_in_a_row >= without_buffer_in_a_row_max) buffer = AlignedBuffer();
  body = ByteView(ahead).subspan(ahead_begin, size);
  ahead_begin += size;
  body_filled = size;
  co_return Result<void>();
}

Task<Result<void>> FramedConnection::State::read_into_buffer() {
  const std::size_t start = body_start(incoming->type);
  const std::size_t size = incoming->body_bytes;
  small_in_a_row = start + size > body_buffer_min ? 0 : small_in_a_row + 1;
  const bool too_large = buffer.size() > body_buffer_min && small_in_a_row >= small_in_a_row_max && body_filled == 0;
  if (too_large || buffer.size() < start + size) {
    CCR_ASSERT(body_filled == 0);
    constexpr std::size_t buffer_max = AlignedBuffer::alignment + frame_body_max;
    const std::size_t wanted = std::min(std::max(std::bit_ceil(start + size), body_buffer_min), buffer_max);
    buffer = AlignedBuffer(wanted, AlignedBuffer::Content::any);
  }
  const ByteSpan into = buffer.span().subspan(start, size);
  body = into;
  while (body_filled < size) {
    const ByteSpan room = into.subspan(body_filled);
    if (ahead_begin < ahead_end) {
      const std::size_t count = std::min(ahead_end - ahead_begin, room.size());
      std::memcpy(room.data(), ahead.data() + ahead_begin, count);
      ahead_begin += count;
      body_filled += count;
      continue;
    }
    const Result<std::size_t> count = co_await connection->read_some(room);
    if (!count.ok()) co_return count.error();
    CCR_ASSERT(*count > 0 && *count <= room.size());
    body_filled += *count;
    bytes_received += *count;
  }
  co_return Result<void>();
}

Result<Message> FramedConnection::State::take_message() {
  CCR_ASSERT(incoming && body_filled == incoming->body_bytes && body.size() == body_filled);
  const FrameHeader header = *incoming;
  const Digest64 computed = body_checksum({&body, 1});
  if (computed != header.body_checksum) {
    return Error{ErrorKind::corrupt,
                 std::string("frame ") + type_name(header.type) + ": body checksum is " + to_hex(computed, 16) +
                     ", the header says " + to_hex(header.body_checksum, 16),
                 ""};
  }
  incoming.reset();
  sequence_received = header.sequence;
  return decode(header.type, body);
}

FramedConnection::FramedConnection(const Executor& executor, std::unique_ptr<Connection> connection)
    : state_(std::make_unique<State>(executor, std::move(connection))) {}

FramedConnection::~FramedConnection() { CCR_ASSERT(state_->tickets.empty() && !state_->receiving); }

Task<Result<void>> FramedConnection::send(Message message) {
  State& state = *state_;
  Ticket<State> ticket(state);
  while (!state.failure && !ticket.is_next()) co_await state.turn.wait();
  if (state.failure) co_return *state.failure;

  const Bytes fields = encode(message, true);
  const ByteView tail = tail_of(message);
  const std::array<ByteView, 2> body{ByteView(fields), tail};
  FrameHeader header;
  header.type = type_of(message);
  header.session = state.session;
  header.sequence = state.sequence_sent + 1;
  header.body_bytes = static_cast<std::uint32_t>(fields.size() + tail.size());
  header.body_checksum = body_checksum(body);
  std::array<std::byte, frame_header_bytes> head;
  encode_frame_header(header, head);

  const std::array<ByteView, 3> pieces{ByteView(head), ByteView(fields), tail};
  const std::span<const ByteView> frame(pieces);
  ticket.set_writing(true);
  const Result<void> written = co_await state.connection->write(frame);
  ticket.set_writing(false);
  if (!written.ok()) co_return state.fail(written.error());
  if (state.failure) co_return *state.failure;
  state.sequence_sent = header.sequence;
  state.bytes_sent += frame_header_bytes + header.body_bytes;
  co_return Result<void>();
}

Task<Result<Message>> FramedConnection::receive() {
  State& state = *state_;
  const OneAtATime alone(state.receiving);
  if (state.failure) co_return *state.failure;
  if (!state.incoming) {
    const Result<void> header = co_await state.read_header();
    if (!header.ok()) co_return state.fail(header.error());
  }
  const Result<void> body = co_await state.read_body();
  if (!body.ok()) co_return state.fail(body.error());
  if (state.failure) co_return *state.failure;
  Result<Message> message = state.take_message();
  if (!message.ok()) co_return state.fail(message.error());
  co_return message;
}

AlignedBuffer FramedConnection::take_memory() {
  State& state = *state_;
  CCR_ASSERT(!state.receiving && !state.incoming && state.buffer.size() > 0);
  return std::exchange(state.buffer, AlignedBuffer());
}

void FramedConnection::set_session(std::uint64_t session) {
  state_->session = session;
  state_->established = true;
}

void FramedConnection::close() { state_->fail({ErrorKind::disconnected, "closed on this side", ""}); }
Endpoint FramedConnection::peer() const { return state_->peer; }
ConnectionFacts FramedConnection::facts() const { return state_->connection->facts(); }
void FramedConnection::wish(const ConnectionWish& wish) { state_->connection->wish(wish); }
std::uint64_t FramedConnection::bytes_sent() const noexcept { return state_->bytes_sent; }
std::uint64_t FramedConnection::bytes_received() const noexcept { return state_->bytes_received; }

}  // namespace ccr::transport
