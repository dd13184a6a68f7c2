// Any bytes from a client of the control socket, in pieces of any size, to a session that answers for a handler in memory. What comes back is, to
// the byte, what the lines before the first bad one ask for; and the session ends, whether its client waits, falls silent or leaves.
//
// The first byte says how the client ends, the second how long its pieces are, the rest is what it sends.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include <nlohmann/json.hpp>

#include "engine/control_session.h"
#include "tests/fuzz/fuzzed_world.h"

namespace {

using namespace ccr;
using namespace ccr::engine;
using nlohmann::json;

enum class End { writing, silent, leaves };

// What a command of the node does with its request: fields of all types, of which some are not there.
Result<json> answer_of(const ControlRequest& request) {
  const Result<std::string> comment = request.text("comment", "none");
  const Result<bool> dry_run = request.flag("dry_run");
  const Result<std::uint64_t> pages = request.count("pages", 7);
  const Result<double> seconds = request.number("seconds", 10);
  CCR_TRY(comment);
  CCR_TRY(dry_run);
  CCR_TRY(pages);
  CCR_TRY(seconds);
  if (request.command() == "refuse") return Error{ErrorKind::refused, "no, " + request.database() + "@" + request.node(), *comment};
  return json{{"comment", *comment}, {"dry_run", *dry_run}, {"pages", *pages}, {"seconds", *seconds}, {"node", request.node()},
              {"has", request.has("text")}, {"whole", request.arguments()}};
}

class MemoryHandler final : public ControlHandler {
 public:
  explicit MemoryHandler(Clock& clock) : clock_(clock) {}
  Task<Result<json>> handle(ControlRequest request, ControlReply& reply) override {
    if (request.command() == "hold") co_await clock_.sleep(std::chrono::hours(1));
    if (request.command() == "watch") {
      json fields{{"phase", request.database()}};
      CCR_CO_TRY(co_await reply.progress(fields));
      CCR_CO_TRY(co_await reply.event(std::move(fields)));
    }
    co_return answer_of(request);
  }

 private:
  Clock& clock_;
};

// Everything that a patient client hears.
std::string expected_of(std::string_view sent) {
  std::string heard;
  for (;;) {
    const std::size_t end = sent.find('\n');
    if (end >= control_request_bytes_max) {
      const Error too_long{ErrorKind::usage, "a request line is at most " + std::to_string(control_request_bytes_max) + " bytes", ""};
      if (sent.size() >= control_request_bytes_max) heard += encode_error(std::nullopt, too_long) + "\n";
      return heard;
    }
    const Result<ControlRequest> request = ControlRequest::parse(sent.substr(0, end));
    if (!request.ok()) {
      CCR_ASSERT(request.error().kind == ErrorKind::usage && !request.error().message.empty());
      return heard + encode_error(std::nullopt, request.error()) + "\n";
    }
    CCR_ASSERT(!request->command().empty());
    const json fields{{"phase", request->database()}};
    if (request->command() == "watch") heard += encode_progress(fields) + "\n" + encode_event(fields) + "\n";
    const Result<json> answer = answer_of(*request);
    heard += (answer.ok() ? encode_result(request->id(), *answer) : encode_error(request->id(), answer.error())) + "\n";
    sent.remove_prefix(end + 1);
  }
}

void check_lines(std::string_view heard) {
  for (std::size_t end = heard.find('\n'); end != std::string_view::npos; end = heard.find('\n')) {
    const Result<ControlLine> line = decode_line(heard.substr(0, end));
    CCR_ASSERT(line.ok() && (line->kind != ControlLine::Kind::error || !line->error.message.empty()));
    heard.remove_prefix(end + 1);
  }
  CCR_ASSERT(heard.empty());
}

class Client {
 public:
  explicit Client(int socket) : socket_(socket) {}
  ~Client() { close(); }
  // How much of it there was room for; all of it where the session has ended.
  std::size_t send(std::string_view piece) {
    const ssize_t count = ::send(socket_, piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return 0;
    return count < 0 ? piece.size() : static_cast<std::size_t>(count);
  }
  bool listen() {
    std::array<char, 4 * KiB> piece;
    const ssize_t count = ::recv(socket_, piece.data(), piece.size(), MSG_DONTWAIT);
    if (count > 0) heard.append(piece.data(), static_cast<std::size_t>(count));
    return count > 0;
  }
  void end_writing() { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  std::string heard;

 private:
  int socket_;
};

// Until all is sent, or the session has ended.
void talk(sim::World& world, Client& client, std::string_view sent, std::size_t piece_bytes, const std::optional<Result<void>>& ended) {
  while (!sent.empty() && !ended) {
    const std::size_t count = client.send(sent.substr(0, piece_bytes));
    sent.remove_prefix(count);
    world.settle();
    const bool listened = client.listen();
    if (count == 0 && !listened) world.step();
  }
}

void run_session(std::string_view sent, std::size_t piece_bytes, End end) {
  int ends[2];
  const int made = ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
  CCR_ASSERT(made == 0);
  FuzzedWorld fuzzed;
  sim::World& world = fuzzed.world;
  MemoryHandler handler(fuzzed.clock);
  Client client(ends[0]);
  std::optional<Result<void>> ended;
  {
    ControlSession session(ControlSession::Socket(world.context(), asio::local::stream_protocol(), ends[1]), fuzzed.clock, handler);
    sim::begin(world, session.run(), ended);
    if (end == End::leaves) client.send(sent.substr(0, piece_bytes));
    else talk(world, client, sent, piece_bytes, ended);
    if (end == End::writing) client.end_writing();
    if (end == End::leaves) client.close();
    // Turned only when the client has taken all that is there.
    while (!ended) {
      do world.settle();
      while (end != End::leaves && client.listen());
      const bool goes_on = ended.has_value() || world.step();
      CCR_ASSERT(goes_on);
    }
    if (end == End::leaves) CCR_ASSERT(fuzzed.clock.now().nanoseconds == 0);  // nobody waited for who is gone
  }
  while (end != End::leaves && client.listen()) {
  }
  if (end == End::leaves) return;
  check_lines(client.heard);
  CCR_ASSERT(client.heard == expected_of(sent));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  constexpr std::array<std::size_t, 8> pieces{1, 2, 7, 64, 1000, 4096, 4097, 64 * KiB};
  // A byte at a time only of what is short.
  constexpr std::size_t pieces_max = 8;
  const std::size_t piece_bytes = std::max(pieces[bytes[1] % pieces.size()], size / pieces_max);
  run_session({reinterpret_cast<const char*>(bytes + 2), size - 2}, piece_bytes, static_cast<End>(bytes[0] % 3));
  return 0;
}
