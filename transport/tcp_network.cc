#include "transport/tcp_network.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include <netinet/tcp.h>
#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/redirect_error.hpp>

#include "transport/tcp_tuner.h"

namespace ccr::transport {
namespace {

using asio::ip::tcp;

// A dead peer is found by missed heartbeats within seconds; keepalive only frees what a handshake without an end would hold.
constexpr int keepalive_idle_seconds = 30;
constexpr int keepalive_interval_seconds = 10;
constexpr int keepalive_count = 3;

constexpr int accept_attempts_max = 64;  // connections in a row that were gone before they could be taken; then who accepts hears of it

using KeepaliveIdle = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
using KeepaliveInterval = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
using KeepaliveCount = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPCNT>;

// Stopped is the one thing that unwinds; an operation aborted by close() is an error like any other.
Task<void> throw_if_stopped() {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) throw std::system_error(asio::error::operation_aborted);
}

// By number: Asio's category has no std::errc for these here.
bool is_shortage(const asio::error_code& error) noexcept {
  const int number = error.value();
  return number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOBUFS;
}

// Of something that other work gives back: a later try can succeed.
Error shortage(const std::string& what, const asio::error_code& error) {
  return {ErrorKind::busy, what + ": " + error.message(), "raise the limit of open files (ulimit -n, LimitNOFILE=)"};
}

Error connect_error(const Endpoint& to, const asio::error_code& error) {
  const std::string what = "connect to " + to.text();
  if (is_shortage(error)) return shortage(what, error);
  const bool refused = error == asio::error::connection_refused;
  return {ErrorKind::unreachable, what + ": " + error.message(), refused ? "is ccr serve running there, on this address?" : ""};
}

Error listen_error(const Endpoint& at, const asio::error_code& error) {
  const std::string what = "listen on " + at.text() + ": " + error.message();
  if (is_shortage(error)) return shortage("listen on " + at.text(), error);
  if (error == asio::error::address_in_use) return {ErrorKind::busy, what, "another process has this port: ss -ltnp"};
  return {ErrorKind::config, what, "the address must be one of this host's: ip -brief address"};
}

Error ended(const char* what, const asio::error_code& error) {
  if (error == asio::error::eof) return {ErrorKind::disconnected, "the peer closed the connection", ""};
  if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) {
    return {ErrorKind::disconnected, "the connection is closed", ""};
  }
  return {ErrorKind::disconnected, std::string(what) + ": " + error.message(), ""};
}

Endpoint endpoint_of(const tcp::endpoint& endpoint) { return {endpoint.address().to_string(), endpoint.port()}; }

Result<tcp::endpoint> resolve(const Endpoint& endpoint) {
  asio::error_code error;
  const asio::ip::address address = asio::ip::make_address(endpoint.host, error);
  if (error) return Error{ErrorKind::config, "'" + endpoint.host + "' is not an IPv4 or IPv6 address", "names are not looked up"};
  return tcp::endpoint(address, endpoint.port);
}

// Each may fail on a connection that is gone already; its first read says so.
void set_options(tcp::socket& socket) {
  asio::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(KeepaliveIdle(keepalive_idle_seconds), ignored);
  socket.set_option(KeepaliveInterval(keepalive_interval_seconds), ignored);
  socket.set_option(KeepaliveCount(keepalive_count), ignored);
}

// The clamp, but no more than the scale can tell.
std::uint64_t granted_window(const TcpFacts& facts) {
  if (facts.receive_scale < 0) return facts.window_clamp;
  return std::min(facts.window_clamp, unscaled_window_max << facts.receive_scale);
}

HeldBuffer held_of(const TcpTuner& tuner) {
  const HostLimits& limits = tuner.settings().limits;
  if (tuner.held().send > 0) return {"net.ipv4.tcp_wmem", limits.send_auto_max, tuner.held().send};
  if (tuner.held().receive > 0) return {"net.ipv4.tcp_rmem", limits.receive_auto_max, tuner.held().receive};
  return {};
}

class TcpConnection final : public Connection {
 public:
  TcpConnection(tcp::socket socket, Endpoint peer, TcpTuner tuner)
      : socket_(std::move(socket)), peer_(std::move(peer)), tuner_(std::move(tuner)) {
    set_options(socket_);
  }

  Task<Result<std::size_t>> read_some(ByteSpan into) override;
  Task<Result<void>> write(std::span<const ByteView> pieces) override;
  void close() override;
  void wish(const ConnectionWish& wish) override;
  Endpoint peer() const override { return peer_; }
  ConnectionFacts facts() const override;

 private:
  mutable tcp::socket socket_;  // mutable: native_handle() is not const
  Endpoint peer_;
  TcpTuner tuner_;
};

Task<Result<std::size_t>> TcpConnection::read_some(ByteSpan into) {
  CCR_ASSERT(!into.empty());
  asio::error_code error;
  const asio::mutable_buffer buffer(into.data(), into.size());
  const std::size_t count = co_await socket_.async_read_some(buffer, asio::redirect_error(asio::use_awaitable, error));
  if (!error) {
    tuner_.crossed(socket_.native_handle(), count);
    co_return count;
  }
  co_await throw_if_stopped();
  co_return ended("read", error);
}

// Not asio::async_write: it hands over at most 64 KiB at a time.
Task<Result<void>> TcpConnection::write(std::span<const ByteView> pieces) {
  std::vector<asio::const_buffer> buffers;
  buffers.reserve(pieces.size());
  for (const ByteView piece : pieces) {
    if (!piece.empty()) buffers.emplace_back(piece.data(), piece.size());
  }
  std::size_t first = 0;
  while (first < buffers.size()) {
    const std::span<const asio::const_buffer> left = std::span<const asio::const_buffer>(buffers).subspan(first);
    asio::error_code error;
    std::size_t count = co_await socket_.async_write_some(left, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      co_await throw_if_stopped();
      co_return ended("write", error);
    }
    tuner_.crossed(socket_.native_handle(), count);
    while (first < buffers.size() && count >= buffers[first].size()) count -= buffers[first++].size();
    if (first < buffers.size()) buffers[first] += count;
  }
  co_return Result<void>();
}

void TcpConnection::close() {
  asio::error_code ignored;
  socket_.close(ignored);
}

void TcpConnection::wish(const ConnectionWish& wish) {
  if (socket_.is_open()) tuner_.change(socket_.native_handle(), wish.window, wish.congestion);
}

ConnectionFacts TcpConnection::facts() const {
  ConnectionFacts facts;
  if (!socket_.is_open()) return facts;
  TcpFacts tcp = read_tcp_facts(socket_.native_handle());
  facts.window_asked = tuner_.settings().window;
  facts.window_granted = granted_window(tcp);
  facts.send_window = tcp.send_window;
  facts.send_scale = tcp.send_scale;
  facts.receive_scale = tcp.receive_scale;
  facts.scaling = tcp.scaling;
  facts.timestamps = tcp.timestamps;
  facts.rtt_seconds = tcp.rtt_microseconds / 1e6;
  facts.delivery_bytes_per_second = tcp.delivery_bytes_per_second;
  facts.retransmits = tcp.retransmits;
  facts.bytes_delivered = tcp.bytes_delivered;
  facts.congestion_asked = tuner_.settings().congestion;
  facts.congestion = std::move(tcp.congestion);
  facts.held = held_of(tuner_);
  return facts;
}

class TcpListener final : public Listener {
 public:
  TcpListener(tcp::acceptor acceptor, TcpSettings settings, const BufferPair& reach)
      : acceptor_(std::move(acceptor)),
        local_(endpoint_of(acceptor_.local_endpoint())),
        settings_(std::move(settings)),
        reach_(reach) {}

  Task<Result<std::unique_ptr<Connection>>> accept() override;
  Endpoint local() const override { return local_; }

 private:
  tcp::acceptor acceptor_;
  Endpoint local_;
  TcpSettings settings_;
  BufferPair reach_;
};

Task<Result<std::unique_ptr<Connection>>> TcpListener::accept() {
  const std::string what = "accept on " + local_.text();
  for (int attempt = 0; attempt < accept_attempts_max; ++attempt) {
    asio::error_code error;
    tcp::socket socket(acceptor_.get_executor());
    co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) co_await throw_if_stopped();
    if (error && is_shortage(error)) co_return shortage(what, error);
    if (error && error != asio::error::connection_aborted) co_return Error{ErrorKind::io, what + ": " + error.message(), ""};
    const tcp::endpoint peer = error ? tcp::endpoint() : socket.remote_endpoint(error);
    if (error) continue;  // it came and went
    settle_socket(socket.native_handle(), settings_, reach_);
    TcpTuner tuner(settings_, reach_);
    std::unique_ptr<Connection> connection = std::make_unique<TcpConnection>(std::move(socket), endpoint_of(peer), std::move(tuner));
    co_return connection;
  }
  co_return Error{ErrorKind::disconnected, what + ": " + std::to_string(accept_attempts_max) + " in a row were gone before they could be taken", ""};
}

}  // namespace

TcpNetwork::TcpNetwork(Executor executor, TcpSettings settings)
    : executor_(std::move(executor)), settings_(std::move(settings)), reach_(reach_of_process()) {}

Task<Result<std::unique_ptr<Connection>>> TcpNetwork::connect(Endpoint to) {
  const Result<tcp::endpoint> address = resolve(to);
  if (!address.ok()) co_return address.error();
  tcp::socket socket(executor_);
  asio::error_code error;
  socket.open(address->protocol(), error);
  if (error) co_return connect_error(to, error);
  prepare_socket(socket.native_handle(), settings_, reach_);
  const tcp::endpoint& target = *address;
  co_await socket.async_connect(target, asio::redirect_error(asio::use_awaitable, error));
  if (error == asio::error::operation_aborted) co_await throw_if_stopped();
  if (error) co_return connect_error(to, error);
  // 1. Nobody listens on a port of the ephemeral range. 2. The kernel picks just that port for this socket. 3. Its SYN meets
  // itself: a simultaneous open, and the socket talks to itself.
  asio::error_code gone;
  if (socket.local_endpoint(gone) == target) co_return connect_error(to, asio::error::connection_refused);
  settle_socket(socket.native_handle(), settings_, reach_);
  TcpTuner tuner(settings_, reach_);
  std::unique_ptr<Connection> connection = std::make_unique<TcpConnection>(std::move(socket), to, std::move(tuner));
  co_return connection;
}

Result<std::unique_ptr<Listener>> TcpNetwork::listen(Endpoint at) {
  const Result<tcp::endpoint> address = resolve(at);
  CCR_TRY(address);
  asio::error_code error;
  tcp::acceptor acceptor(executor_);
  acceptor.open(address->protocol(), error);
  if (error) return listen_error(at, error);
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  // [::] without this takes the IPv4 port too.
  if (!error && address->address().is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
  if (!error) acceptor.bind(*address, error);
  if (!error) prepare_socket(acceptor.native_handle(), settings_, reach_);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return listen_error(at, error);
  return Result<std::unique_ptr<Listener>>(std::make_unique<TcpListener>(std::move(acceptor), settings_, reach_));
}

}  // namespace ccr::transport
