// Any bytes from a peer, cut anywhere, to the state machines of a connection, on a network, a disk and a clock in memory. A copy dials: its hello,
// the welcome, then log into its directory, as engine/peer_client.h and engine/copier.h have it; or a node is dialled: the verdict on the hello,
// then the heartbeats of a path, or whatever messages come. Whatever the peer does, the session ends with an error in words, what this side
// says is good frames, what it holds of the log is what the directory has when it is opened again, and no memory is held beyond the limits.
//
// The first byte says which side this is, how the peer ends, and whether the rest is the bytes themselves or frames to be put together from it:
// each a type, a flaw, a length of 2 bytes and a body. So mutation need not learn checksums, sequences and log.
#include <algorithm>
#include <array>

#include <asio/post.hpp>

#include "base/timeout.h"
#include "engine/copier.h"
#include "engine/path_watch.h"
#include "engine/peer_client.h"
#include "tests/fuzz/prepared_log.h"
#include "transport/handshake.h"

namespace {

using namespace ccr;
using namespace ccr::engine;
using storage::prepared_place;
using transport::frame_header_bytes;
using transport::Message;

constexpr std::uint64_t chance_seed = 1;
constexpr std::uint64_t dialled_session = 0x51;
constexpr std::uint64_t histories_max = 8 * MiB;
const std::string peer_name = "alpha";

std::uint64_t dialling_session() { return Random(chance_seed).next(); }

// What the peer sends, in reads of at most `read_bytes`; then it is silent, or gone.
class ScriptedConnection final : public transport::Connection {
 public:
  struct Script {
    Bytes incoming;
    std::size_t read_bytes = 64 * KiB;
    bool falls_silent = false;
    Bytes outgoing;
    bool closed = false;
  };
  ScriptedConnection(const Executor& executor, Script& script) : executor_(executor), changed_(executor), script_(script) {}
  ~ScriptedConnection() override { ScriptedConnection::close(); }

  Task<Result<std::size_t>> read_some(ByteSpan into) override {
    co_await asio::post(executor_, asio::use_awaitable);  // others have their turn
    while (at_ == script_.incoming.size() && script_.falls_silent && !script_.closed) co_await changed_.wait();
    if (at_ == script_.incoming.size() || script_.closed) co_return Error{ErrorKind::disconnected, "the peer closed the connection", ""};
    const std::size_t count = std::min({into.size(), script_.incoming.size() - at_, script_.read_bytes});
    std::copy_n(script_.incoming.begin() + std::ptrdiff_t(at_), count, into.begin());
    at_ += count;
    co_return count;
  }
  Task<Result<void>> write(std::span<const ByteView> pieces) override {
    if (script_.closed) co_return Error{ErrorKind::disconnected, "the connection is closed", ""};
    for (const ByteView piece : pieces) script_.outgoing.insert(script_.outgoing.end(), piece.begin(), piece.end());
    co_return Result<void>();
  }
  void close() override {
    script_.closed = true;
    changed_.notify();
  }
  transport::Endpoint peer() const override { return {"10.77.0.1", 64327}; }
  transport::ConnectionFacts facts() const override { return {}; }

 private:
  Executor executor_;
  Signal changed_;
  Script& script_;
  std::size_t at_ = 0;
};

class ScriptedNetwork final : public transport::Network {
 public:
  ScriptedNetwork(const Executor& executor, ScriptedConnection::Script& script) : executor_(executor), script_(script) {}
  Task<Result<std::unique_ptr<transport::Connection>>> connect(transport::Endpoint) override {
    std::unique_ptr<transport::Connection> connection = std::make_unique<ScriptedConnection>(executor_, script_);
    co_return std::move(connection);
  }
  Result<std::unique_ptr<transport::Listener>> listen(transport::Endpoint) override { return Error{ErrorKind::unreachable, "nobody listens here", ""}; }

 private:
  Executor executor_;
  ScriptedConnection::Script& script_;
};

Config config_of_beta() {
  Config config;
  config.cluster = "lab";
  config.node = "beta";
  for (const char* name : {"alpha", "beta"}) config.nodes[name].name = name;
  config.transport.compression_memory_bytes = histories_max;
  return config;
}

// A node's ground, all of it in memory.
struct Ground : FuzzedWorld {
  explicit Ground(ScriptedConnection::Script& script)
      : network(world.executor(), script), paths(world.executor(), clock, trace, config.node),
        pulses(clock, config.transport.silence_max(), config.transport.heartbeat_interval * PeerWatch::rest_intervals), contacts(clock, trace, config.node) {
    paths.add(peer_name, {{"10.77.0.1", 64327}});
  }
  storage::MemoryDisk disk;
  ScriptedNetwork network;
  Random random{chance_seed};
  NullTrace trace;
  const Config config = config_of_beta();
  InlineCpuPool cpu;
  transport::HistoryBudget histories{histories_max};
  PathTable paths;
  Pulses pulses;
  Contacts contacts;
  NodeContext node{world.executor(), clock, disk, network, random, trace, config, cpu, histories, paths, pulses, contacts};
};

class CopyOwner final : public CopierOwner {
 public:
  CopyOwner(Ground& ground, storage::IncomingLog* log)
      : log_(log), standing_("orders@beta", State::resynchronizing, ground.clock, ground.trace), changed_(ground.world.executor()) {}
  void tip_heard(const transport::Tip& tip) override {
    if (tip.at_rest || standing_.state() == State::healthy) return;
    standing_.enter(State::healthy, "");
    changed_.notify();
  }
  void log_received(std::uint64_t, std::uint64_t) override {}
  void log_durable() override {}
  transport::Watermarks watermarks() const override {
    transport::Watermarks marks;
    if (log_ != nullptr) {
      marks.received = log_->received();
      marks.durable = log_->durable();
      marks.inspected = log_->inspected();
    }
    marks.state = name_of(standing_.state());
    return marks;
  }
  const CopyStanding& standing() const override { return standing_; }
  Signal& changed() override { return changed_; }

 private:
  storage::IncomingLog* log_;
  CopyStanding standing_;
  Signal changed_;
};

Task<Result<void>> copy_log(Ground& ground, storage::IncomingLog* log) {
  DatabaseConfig database;
  database.name = "orders";
  Signature signature = log != nullptr ? storage::prepared_signature() : Signature();
  transport::Hello hello = hello_about(transport::Purpose::log, database, signature, 1);
  if (log != nullptr) hello.wanted = log->wanted();
  Result<PeerSession> session = co_await connect_to_active(ground.node, peer_name, std::move(hello));
  if (!session.ok()) co_return session.error();
  CopyOwner owner(ground, log);
  std::shared_ptr<Pulse> pulse = ground.pulses.of(peer_name, "10.77.0.1:64327", Pulses::Dialled::here);
  Copier copier(ground.node, log, *session->connection, std::move(pulse), owner);
  const Result<void> ended = co_await copier.run();
  CCR_ASSERT(ground.histories.bytes_held() <= histories_max);
  co_return ended;
}

Task<Result<void>> open_copy(Ground& ground, Position proven, std::unique_ptr<storage::IncomingLog>& log) {
  storage::LogDirectory place = prepared_place();
  const storage::IncomingLog::Start start;
  Result<std::unique_ptr<storage::IncomingLog>> opened = co_await storage::IncomingLog::open(ground.disk, std::move(place), start, proven);
  if (!opened.ok()) co_return opened.error();
  log = std::move(*opened);
  co_return Result<void>();
}

// What was acknowledged is there for who opens the directory next, and no more than that is missing.
void dial(Ground& ground, bool seeded) {
  std::unique_ptr<storage::IncomingLog> log, again;
  if (seeded) {
    const Result<void> opened = sim::complete(ground.world, open_copy(ground, {}, log));
    must_be_ok(opened);
  }
  const Result<void> ended = sim::complete(ground.world, copy_log(ground, log.get()));
  CCR_ASSERT(!ended.ok() && !ended.error().message.empty());
  CCR_ASSERT(ground.histories.bytes_held() == 0);
  if (!seeded) return;
  CCR_ASSERT(!log->failed());  // nothing failed but what came
  const Position durable = log->durable();
  CCR_ASSERT(durable <= log->received());
  log.reset();
  const Result<void> opened = sim::complete(ground.world, open_copy(ground, durable, again));
  must_be_ok(opened);
  CCR_ASSERT(again->durable() >= durable);
}

transport::ActiveFacts facts_of_beta(const Ground& ground) {
  transport::ActiveFacts facts;
  facts.cluster = ground.config.cluster;
  facts.node = ground.config.node;
  facts.database = "orders";
  facts.kind = "sqlite";
  facts.active = facts.ready = true;
  facts.active_node = ground.config.node;
  facts.copies = {"alpha", "beta"};
  facts.signature = storage::prepared_signature();
  facts.epoch = 1;
  facts.first = {1};
  facts.durable = {{4}, 3 * storage::block_bytes};
  facts.page_size = storage::prepared_page_size;
  facts.generation_bytes = storage::generation_bytes_min;
  return facts;
}

Task<Result<void>> serve(Ground& ground, transport::FramedConnection& connection) {
  const Result<Message> greeting = co_await with_timeout(ground.clock, hello_timeout, "the hello", connection.receive());
  if (!greeting.ok()) co_return greeting.error();
  const auto* hello = std::get_if<transport::Hello>(&*greeting);
  if (hello == nullptr) co_return transport::unexpected(*greeting, "a connection that begins");
  const transport::Hello said = *hello;
  transport::ActiveFacts facts = facts_of_beta(ground);
  facts.own_digests.resize(said.chain.size());
  const transport::HandshakeAnswer answer = transport::decide_handshake(said, facts);
  Message reply = answer.refuse ? Message(*answer.refuse) : Message(answer.welcome);
  CCR_CO_TRY(co_await connection.send(std::move(reply)));
  if (answer.refuse) co_return Error{ErrorKind::refused, answer.refuse->text, ""};
  connection.set_session(said.session);
  if (said.purpose == transport::Purpose::path) co_return co_await serve_path(ground.node, connection, said);
  for (;;) {
    const Result<Message> message = co_await with_timeout(ground.clock, ground.config.transport.silence_max(), "its silence", connection.receive());
    if (!message.ok()) co_return message.error();
  }
}

Task<Result<void>> be_dialled(Ground& ground, ScriptedConnection::Script& script) {
  const Executor executor = co_await asio::this_coro::executor;
  transport::FramedConnection connection(executor, std::make_unique<ScriptedConnection>(executor, script));
  const Result<void> ended = co_await serve(ground, connection);
  connection.close();
  co_return ended;
}

// Frames one after another, each the next of its session.
void check_said(ByteView said) {
  for (std::uint64_t sequence = 1; !said.empty(); ++sequence) {
    CCR_ASSERT(said.size() >= frame_header_bytes);
    const Result<transport::FrameHeader> header = transport::decode_frame_header(said.first(frame_header_bytes), transport::frame_body_max);
    CCR_ASSERT(header.ok() && header->sequence == sequence && header->body_bytes <= said.size() - frame_header_bytes);
    const ByteView body = said.subspan(frame_header_bytes, header->body_bytes);
    CCR_ASSERT(transport::body_checksum({&body, 1}) == header->body_checksum && transport::decode(header->type, body).ok());
    said = said.subspan(frame_header_bytes + header->body_bytes);
  }
}

// The peer's side of what the input says.
class FrameWriter {
 public:
  explicit FrameWriter(std::uint64_t session) : session_(session) {}

  void write(Decoder& in) {
    const std::uint8_t type = in.u8(), flaw = in.u8();
    const std::size_t length = std::min<std::size_t>(in.u16(), in.remaining());
    const ByteView body = in.bytes(length);
    if (type >= log_types) return put_log(body, flaw);
    put(type, body, flaw);
  }
  const Bytes& bytes() const { return bytes_; }

 private:
  static constexpr std::uint8_t log_types = 0xf0;  // no message has them: blocks of the prepared log

  // Which file, from which block, how many, and perhaps which bit of them is another.
  void put_log(ByteView says, std::uint8_t flaw) {
    Decoder in(says);
    const storage::Files& files = storage::prepared_files(storage::Prepared::long_log);
    const std::size_t file = in.u8() % files.size();
    const std::size_t blocks = files[file].second.size() / storage::block_bytes;
    const std::size_t first = in.u8() % blocks, count = std::min<std::size_t>(in.u8(), blocks - first);
    Bytes log(files[file].second.begin() + std::ptrdiff_t(first * storage::block_bytes), files[file].second.begin() + std::ptrdiff_t((first + count) * storage::block_bytes));
    if (log.empty()) return;
    if (in.remaining() >= 3) log[in.u16() % log.size()] ^= std::byte(in.u8());
    transport::LogData message;
    message.generation = {file + 1};
    message.offset = first * storage::block_bytes;
    message.bytes = log;
    put(transport::type_of(message), transport::encode(message), flaw);
  }

  void put(std::uint8_t type, ByteView body, std::uint8_t flaw) {
    constexpr std::uint8_t handshake_types = 3;
    transport::FrameHeader header;
    header.type = type;
    header.session = type <= handshake_types ? 0 : session_;
    header.sequence = ++sequence_;
    header.body_bytes = static_cast<std::uint32_t>(body.size());
    header.body_checksum = transport::body_checksum({&body, 1});
    if (flaw == 0xff) header.session ^= 1;
    if (flaw == 0xfe) header.sequence = sequence_++;
    if (flaw == 0xfd) header.body_checksum ^= 1;
    if (flaw == 0xfc) header.body_bytes += 4096;
    std::array<std::byte, frame_header_bytes> head;
    transport::encode_frame_header(header, head);
    if (flaw == 0xfb) head[frame_header_bytes / 2] ^= std::byte{1};
    bytes_.insert(bytes_.end(), head.begin(), head.end());
    bytes_.insert(bytes_.end(), body.begin(), body.end());
  }

  std::uint64_t session_, sequence_ = 0;
  Bytes bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool dials = (data[0] & 1) != 0, frames = (data[0] & 2) != 0, seeded = (data[0] & 8) == 0;
  constexpr std::array<std::size_t, 8> reads{1, 3, 63, 64, 65, 1000, 4096, 64 * KiB};
  const ByteView rest = std::as_bytes(std::span(data + 2, size - 2));
  ScriptedConnection::Script script;
  script.falls_silent = (data[0] & 4) != 0;
  script.incoming.assign(rest.begin(), rest.end());
  if (frames) {
    FrameWriter writer(dials ? dialling_session() : dialled_session);
    constexpr std::size_t sent_bytes_max = 768 * KiB;
    for (Decoder in(rest); in.remaining() > 0 && writer.bytes().size() < sent_bytes_max;) writer.write(in);
    script.incoming = writer.bytes();
  }
  // A byte at a time only of what is short.
  constexpr std::size_t reads_max = 256;
  script.read_bytes = std::max(reads[data[1] % reads.size()], script.incoming.size() / reads_max);
  {
    Ground ground(script);
    if (dials) {
      dial(ground, seeded);
    } else {
      const Result<void> ended = sim::complete(ground.world, be_dialled(ground, script));
      CCR_ASSERT(!ended.ok() && !ended.error().message.empty());
    }
  }
  check_said(script.outgoing);
  return 0;
}
