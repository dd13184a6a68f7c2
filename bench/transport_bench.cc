// What frames cost, and what FramedConnection carries over loopback, in clear text and over TLS, with both ends in one thread or in
// two. To be read beside `iperf3 -c 127.0.0.1` and `openssl speed -evp aes-128-gcm` of the same minute: the limit is the machine's,
// not ours.
#include <benchmark/benchmark.h>

#include <array>
#include <optional>
#include <thread>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <openssl/ssl.h>

#include "base/system_clock.h"
#include "transport/certificate_issuer.h"
#include "transport/framed_connection.h"
#include "transport/tcp_network.h"
#include "transport/tls_network.h"

namespace ccr::transport {
namespace {

constexpr std::uint64_t session = 1;
constexpr int frames_of_a_run = 512;

LogData mebibyte_of_log(const AlignedBuffer& content) {
  LogData log;
  log.generation = {1};
  log.bytes = content.view();
  return log;
}

AlignedBuffer sample_content() {
  AlignedBuffer content(MiB);
  for (std::size_t i = 0; i < content.size(); ++i) content.data()[i] = std::byte(i * 7 + (i >> 12));
  return content;
}

void frame_encode_and_decode(benchmark::State& state) {
  const AlignedBuffer content = sample_content();
  const Message message = mebibyte_of_log(content);
  Bytes wire(frame_header_bytes + MiB + 16);
  for (auto _ : state) {
    const Bytes fields = encode(message, true);
    const ByteView tail = tail_of(message);
    const std::array<ByteView, 2> pieces{ByteView(fields), tail};
    FrameHeader header{type_of(message), session, 1, static_cast<std::uint32_t>(fields.size() + tail.size()),
                       body_checksum(pieces)};
    encode_frame_header(header, ByteSpan(wire).first(frame_header_bytes));
    std::memcpy(wire.data() + frame_header_bytes, fields.data(), fields.size());
    std::memcpy(wire.data() + frame_header_bytes + fields.size(), tail.data(), tail.size());  // stands for the wire
    const Result<FrameHeader> read = decode_frame_header(ByteView(wire).first(frame_header_bytes), frame_body_max);
    const ByteView body = ByteView(wire).subspan(frame_header_bytes, read->body_bytes);
    CCR_ASSERT(body_checksum({&body, 1}) == read->body_checksum);
    const Result<Message> decoded = decode(read->type, body);
    benchmark::DoNotOptimize(decoded.ok());
  }
  state.SetBytesProcessed(std::int64_t(state.iterations()) * std::int64_t(MiB));
}

Task<void> send_run(FramedConnection& connection, const AlignedBuffer& content, int count) {
  for (int i = 0; i < count; ++i) {
    const Message message = mebibyte_of_log(content);
    const Result<void> sent = co_await connection.send(message);
    CCR_ASSERT(sent.ok());
  }
}

Task<void> receive_run(FramedConnection& connection, int count) {
  for (int i = 0; i < count; ++i) {
    const Result<Message> received = co_await connection.receive();
    CCR_ASSERT(received.ok() && std::get<LogData>(*received).bytes.size() == MiB);
  }
}

Task<void> open(Executor executor, Listener& listener, std::unique_ptr<FramedConnection>& to) {
  Result<std::unique_ptr<Connection>> accepted = co_await listener.accept();
  CCR_ASSERT(accepted.ok());
  const Result<void> proven = co_await (*accepted)->prove();
  CCR_ASSERT(proven.ok());
  to = std::make_unique<FramedConnection>(executor, std::move(*accepted));
  to->set_session(session);
}

Task<void> reach(Executor executor, Network& network, Endpoint at, std::unique_ptr<FramedConnection>& to) {
  Result<std::unique_ptr<Connection>> connected = co_await network.connect(at);
  CCR_ASSERT(connected.ok());
  const Result<void> proven = co_await (*connected)->prove();
  CCR_ASSERT(proven.ok());
  to = std::make_unique<FramedConnection>(executor, std::move(*connected));
  to->set_session(session);
}

void rethrow(std::exception_ptr failure) {
  if (failure) std::rethrow_exception(failure);
}

std::shared_ptr<const TlsIdentity> identity_of(const KeyPair& authority, const std::string& node, SSL_CTX** context = nullptr) {
  const Result<KeyPair> pair = issue_node(authority, node, validity_from(SystemClock().wall_now(), 1));
  CCR_ASSERT(pair.ok());
  const TlsContent content{pem_of(*authority.certificate), pem_of(*pair->certificate), pem_of(*pair->key)};
  Result<std::shared_ptr<const TlsIdentity>> identity =
      TlsIdentity::make(content, {"ca.pem", "node.pem", "node.key"}, {"bench", node});
  CCR_ASSERT(identity.ok());
  if (context != nullptr) *context = (*identity)->context();
  return std::move(*identity);
}

// Both ends' networks: TCP, or TLS with `cipher` over it.
struct Ends {
  Ends(const Executor& sending, const Executor& receiving, const char* cipher) : tcp_left(sending), tcp_right(receiving) {
    if (cipher == nullptr) return;
    const Result<KeyPair> authority = make_authority("bench", validity_from(clock.wall_now(), 1));
    CCR_ASSERT(authority.ok());
    SSL_CTX* context = nullptr;
    std::shared_ptr<const TlsIdentity> left = identity_of(*authority, "left", &context);
    std::shared_ptr<const TlsIdentity> right = identity_of(*authority, "right");
    CCR_ASSERT(SSL_CTX_set_ciphersuites(context, cipher) == 1);
    tls_right.emplace(tcp_right, clock, std::map<Endpoint, std::string>{{{"127.0.0.1", 1}, "left"}}, std::move(right));
    left_identity = std::move(left);
  }
  Network& listening() { return tls_right ? static_cast<Network&>(*tls_right) : tcp_right; }
  Network& connecting(const Endpoint& at) {
    if (!left_identity) return tcp_left;
    return tls_left.emplace(tcp_left, clock, std::map<Endpoint, std::string>{{at, "right"}}, left_identity);
  }

  SystemClock clock;
  TcpNetwork tcp_left, tcp_right;
  std::shared_ptr<const TlsIdentity> left_identity;
  std::optional<TlsNetwork> tls_left, tls_right;
};

// threads 1: both nodes on one core, as in a lab on one host; 2: a core each, as on two hosts.
void loopback(benchmark::State& state, const char* cipher) {
  const bool two_threads = state.range(0) == 2;
  const AlignedBuffer content = sample_content();
  asio::io_context sending, other;
  asio::io_context& receiving = two_threads ? other : sending;
  Ends ends(sending.get_executor(), receiving.get_executor(), cipher);
  Result<std::unique_ptr<Listener>> listener = ends.listening().listen({"127.0.0.1", 0});
  CCR_ASSERT(listener.ok());
  std::unique_ptr<FramedConnection> left, right;
  asio::co_spawn(receiving, open(receiving.get_executor(), **listener, right), rethrow);
  const Endpoint at = (*listener)->local();
  asio::co_spawn(sending, reach(sending.get_executor(), ends.connecting(at), at, left), rethrow);
  while (left == nullptr || right == nullptr) {
    sending.poll();
    receiving.poll();
    sending.restart();
    receiving.restart();
  }
  state.SetLabel(left->facts().tls.empty() ? "clear text" : left->facts().tls);
  for (auto _ : state) {
    sending.restart();
    other.restart();
    asio::co_spawn(sending, send_run(*left, content, frames_of_a_run), rethrow);
    asio::co_spawn(receiving, receive_run(*right, frames_of_a_run), rethrow);
    if (two_threads) {
      std::thread receiver([&receiving] { receiving.run(); });
      sending.run();
      receiver.join();
    } else {
      sending.run();
    }
  }
  state.SetBytesProcessed(std::int64_t(state.iterations()) * frames_of_a_run * std::int64_t(MiB));
}

BENCHMARK(frame_encode_and_decode)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(loopback, clear_text, nullptr)->Arg(1)->Arg(2)->ArgName("threads")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(loopback, aes_128, "TLS_AES_128_GCM_SHA256")
    ->Arg(1)
    ->Arg(2)
    ->ArgName("threads")
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(loopback, aes_256, "TLS_AES_256_GCM_SHA384")
    ->Arg(1)
    ->Arg(2)
    ->ArgName("threads")
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(loopback, chacha20, "TLS_CHACHA20_POLY1305_SHA256")
    ->Arg(1)
    ->Arg(2)
    ->ArgName("threads")
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace ccr::transport

BENCHMARK_MAIN();
