#include "tests/sim/sim_ports.h"

#include <algorithm>

namespace ccr::sim {

Error network_severed() { return {ErrorKind::stopped, "the node of this network has died", ""}; }
// As TcpNetwork says it.
Error no_descriptor(const std::string& what) {
  return {ErrorKind::busy, what + ": Too many open files", "raise the limit of open files (ulimit -n, LimitNOFILE=)"};
}

namespace {

// A dead node's call takes a turn of the executor, so that a loop over failing calls can still be stopped.
Task<Error> fail_severed(std::shared_ptr<SimNetwork::Session> session) {
  Wait wait(session->gate);
  co_await wait.until_completed(Wait::Stop::at_once);
  co_return network_severed();
}
Error disconnected(const char* why) { return {ErrorKind::disconnected, why, ""}; }

// Names the one task that waits at a place, for as long as it does.
class Standing {
 public:
  Standing(Wait*& place, Gate& gate) : place_(place), wait(gate) {
    CCR_ASSERT(place_ == nullptr);
    place_ = &wait;
  }
  ~Standing() { place_ = nullptr; }
  Standing(const Standing&) = delete;
  Standing& operator=(const Standing&) = delete;

 private:
  Wait*& place_;

 public:
  Wait wait;
};

// A write that ends in any way but its own leaves the connection unusable.
struct Writing {
  explicit Writing(End& the_end) : end(the_end) {
    CCR_ASSERT(!end.writing);
    end.writing = true;
  }
  ~Writing() {
    end.writing = false;
    if (!finished) end.write_broken = true;
  }
  End& end;
  bool finished = false;
};

// Walks over gathered pieces.
struct Gathering {
  std::span<const ByteView> pieces;
  std::size_t piece = 0, offset = 0;

  std::uint64_t left() const {
    std::uint64_t sum = 0;
    for (std::size_t i = piece; i < pieces.size(); ++i) sum += pieces[i].size();
    return sum - offset;
  }
  Bytes next(std::uint64_t count) {
    Bytes bytes;
    bytes.reserve(count);
    while (bytes.size() < count) {
      const ByteView rest = pieces[piece].subspan(offset);
      const std::size_t part = std::min<std::size_t>(rest.size(), count - bytes.size());
      bytes.insert(bytes.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(part));
      offset += part;
      if (offset == pieces[piece].size()) ++piece, offset = 0;
    }
    return bytes;
  }
};

}  // namespace

SimConnection::SimConnection(std::shared_ptr<SimNetwork::Session> session, std::shared_ptr<Stream> stream, int side)
    : session_(std::move(session)), stream_(std::move(stream)), side_(side) {}

SimConnection::~SimConnection() { close(); }

void SimConnection::close() {
  if (session_->network != nullptr) session_->network->close(*stream_, side_);
}

transport::Endpoint SimConnection::peer() const { return stream_->ends[1 - side_].address; }

transport::ConnectionFacts SimConnection::facts() const {
  transport::ConnectionFacts facts;
  if (session_->network == nullptr) return facts;
  const NetworkOptions& options = session_->network->options();
  facts.window_granted = options.buffer_bytes;
  facts.rtt_seconds = std::chrono::duration<double>(options.delay_min + options.delay_max).count();
  facts.delivery_bytes_per_second = options.bytes_per_second;
  facts.congestion = "simulated";
  return facts;
}

Error SimConnection::fail() {
  session_->network->break_off(*stream_, side_);
  return disconnected("connection reset");
}

Task<Result<std::size_t>> SimConnection::read_some(ByteSpan into) {
  for (;;) {
    if (session_->network == nullptr) co_return co_await fail_severed(session_);
    if (!end().open) co_return disconnected("closed here");
    if (!end().inbox.empty()) {
      SimNetwork& network = *session_->network;
      if (network.planned(end().host, NetworkAction::read)) co_return fail();
      co_return network.take(*stream_, side_, into);
    }
    if (end().reset) co_return disconnected("connection reset");
    if (end().ended) co_return disconnected("closed by the peer");
    Standing standing(end().reader, session_->gate);
    co_await standing.wait.until_completed(Wait::Stop::at_once);
  }
}

Task<Result<void>> SimConnection::write(std::span<const ByteView> pieces) {
  if (session_->network != nullptr && end().write_broken) co_return disconnected("an earlier write was stopped half-way");
  Writing writing(end());
  const Result<void> result = co_await write_all(pieces);
  writing.finished = result.ok();
  co_return result;
}

Task<Result<void>> SimConnection::write_all(std::span<const ByteView> pieces) {
  Gathering gathering{pieces};
  const bool usable = session_->network != nullptr && end().open && !end().reset;
  const bool fails = usable && session_->network->planned(end().host, NetworkAction::write);
  for (std::uint64_t left = gathering.left(); left > 0;) {
    if (session_->network == nullptr) co_return co_await fail_severed(session_);
    if (!end().open) co_return disconnected("closed here");
    if (end().reset) co_return disconnected("connection reset");
    SimNetwork& network = *session_->network;
    const std::uint64_t room = std::min(network.room(*stream_, side_), network.options().segment_bytes_max);
    if (room > 0) {
      const std::uint64_t count = std::min(room, left);
      network.send(*stream_, side_, gathering.next(count), SegmentKind::bytes);
      left -= count;
    }
    if (fails) co_return fail();
    if (room > 0) continue;
    Standing standing(end().writer, session_->gate);
    co_await standing.wait.until_completed(Wait::Stop::at_once);
  }
  co_return Result<void>();
}

SimListener::SimListener(std::shared_ptr<SimNetwork::Session> session, transport::Endpoint local) {
  listening_.session = std::move(session);
  listening_.local = std::move(local);
}

SimListener::~SimListener() {
  if (listening_.session->network != nullptr) listening_.session->network->stop_listening(listening_);
}

Task<Result<std::unique_ptr<transport::Connection>>> SimListener::accept() {
  for (;;) {
    if (listening_.session->network == nullptr) co_return co_await fail_severed(listening_.session);
    CCR_CO_TRY(listening_.session->network->take_descriptor(listening_.session->host, "accept on " + listening_.local.text()));
    if (!listening_.backlog.empty()) {
      if (listening_.session->network->planned(listening_.session->host, NetworkAction::accept)) co_return no_descriptor("accept on " + listening_.local.text());
      std::unique_ptr<transport::Connection> connection =
          std::make_unique<SimConnection>(listening_.session, listening_.backlog.front(), 1);
      listening_.backlog.pop_front();
      co_return connection;
    }
    Standing standing(listening_.acceptor, listening_.session->gate);
    co_await standing.wait.until_completed(Wait::Stop::at_once);
  }
}

Task<Result<std::unique_ptr<transport::Connection>>> NodeNetwork::connect(transport::Endpoint to) {
  if (session_->network == nullptr) co_return co_await fail_severed(session_);
  SimNetwork& network = *session_->network;
  auto made = co_await network.connect(session_, std::move(to));
  co_return made;
}

Result<std::unique_ptr<transport::Listener>> NodeNetwork::listen(transport::Endpoint at) {
  if (session_->network == nullptr) return network_severed();
  return session_->network->listen(session_, at);
}

}  // namespace ccr::sim
