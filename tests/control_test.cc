#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <nlohmann/json.hpp>

#include "base/system_clock.h"
#include "base/task_group.h"
#include "engine/control_server.h"

namespace ccr::engine {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// Counted on the server's thread, waited for on the test's.
class Count {
 public:
  void add() {
    {
      const std::lock_guard lock(mutex_);
      ++count_;
    }
    changed_.notify_all();
  }
  int value() {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  bool reaches(int wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return count_ == wanted; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

// Commands that a test needs; "hold" never ends by itself.
class TestHandler final : public ControlHandler {
 public:
  Task<Result<json>> handle(ControlRequest request, ControlReply& reply) override {
    if (request.command() == "echo") co_return request.arguments();
    if (request.command() == "refuse") co_return Error{ErrorKind::refused, "no, " + request.database(), "ask again"};
    if (request.command() == "count") co_return co_await count(reply);
    if (request.command() == "hold") co_return co_await hold();
    co_return Error{ErrorKind::usage, "unknown command", ""};
  }
  Count held, let_go;

 private:
  Task<Result<json>> count(ControlReply& reply) {
    for (int i = 1; i <= 3; ++i) {
      json fields{{"done_bytes", i}};
      CCR_CO_TRY(co_await reply.progress(std::move(fields)));
    }
    json fields{{"name", "counted"}};
    CCR_CO_TRY(co_await reply.event(std::move(fields)));
    co_return json{{"counted", 3}};
  }
  Task<Result<json>> hold() {
    struct LetGo {
      Count& count;
      ~LetGo() { count.add(); }
    } leaving{let_go};
    held.add();
    for (;;) co_await clock_.sleep(1h);
  }
  SystemClock clock_;
};

class ControlServerTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ccr-control-XXXXXX";
    directory = mkdtemp(name);
    path = directory + "/control.sock";
  }
  void TearDown() override {
    stop();
    std::filesystem::remove_all(directory);
  }

  void start() {
    server = std::make_unique<ControlServer>(context.get_executor(), path, handler);
    const Result<void> bound = server->bind();
    ASSERT_TRUE(bound.ok()) << bound.error().message;
    group = std::make_unique<TaskGroup>(context.get_executor());
    group->spawn(server->run());
    auto joining = [this]() -> Task<void> {
      const Result<void> ended = co_await group->join();
      EXPECT_TRUE(ended.ok());
    };
    asio::co_spawn(context, joining, [](std::exception_ptr failure) { EXPECT_EQ(failure, nullptr); });
    thread = std::thread([this] { context.run(); });
  }
  void stop() {
    if (!thread.joinable()) return;
    asio::post(context, [this] { group->stop(); });
    thread.join();
  }

  int connect() {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval limit{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static void send(int fd, const std::string& bytes) {
    EXPECT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  // Empty at the end of the stream.
  static std::string line(int fd) {
    std::string text;
    char c = 0;
    while (::recv(fd, &c, 1, 0) == 1) {
      if (c == '\n') return text;
      text += c;
    }
    return text;
  }
  // When it returns the server has seen all that happened on its other sockets before: they were ready first.
  void round_trip() {
    const int fd = connect();
    send(fd, "{\"command\":\"echo\"}\n");
    EXPECT_NE(line(fd), "");
    ::close(fd);
  }

  std::string directory, path;
  asio::io_context context;
  TestHandler handler;
  std::unique_ptr<ControlServer> server;
  std::unique_ptr<TaskGroup> group;
  std::thread thread;
};

TEST_F(ControlServerTest, ARequestGetsItsResult) {
  start();
  const int fd = connect();
  send(fd, "{\"id\":7,\"command\":\"echo\",\"database\":\"orders\"}\n");
  EXPECT_EQ(line(fd), R"({"id":7,"ok":true,"result":{"command":"echo","database":"orders","id":7}})");
  ::close(fd);
}

TEST_F(ControlServerTest, AnErrorKeepsItsKindAndHint) {
  start();
  const int fd = connect();
  send(fd, "{\"command\":\"refuse\",\"database\":\"orders\"}\n");
  EXPECT_EQ(line(fd), R"({"error":{"hint":"ask again","kind":"refused","message":"no, orders"},"ok":false})");
  ::close(fd);
}

TEST_F(ControlServerTest, ProgressComesBeforeTheResult) {
  start();
  const int fd = connect();
  send(fd, "{\"command\":\"count\"}\n");
  EXPECT_EQ(line(fd), R"({"progress":{"done_bytes":1}})");
  EXPECT_EQ(line(fd), R"({"progress":{"done_bytes":2}})");
  EXPECT_EQ(line(fd), R"({"progress":{"done_bytes":3}})");
  EXPECT_EQ(line(fd), R"({"event":{"name":"counted"}})");
  EXPECT_EQ(line(fd), R"({"ok":true,"result":{"counted":3}})");
  ::close(fd);
}

TEST_F(ControlServerTest, RequestsOfOneClientAreAnsweredInOrder) {
  start();
  const int fd = connect();
  send(fd, "{\"id\":1,\"command\":\"count\"}\n{\"id\":2,\"command\":\"refuse\"}\n{\"id\":3,\"com");
  send(fd, "mand\":\"echo\"}\n");
  for (int i = 0; i < 4; ++i) line(fd);
  EXPECT_EQ(line(fd), R"({"id":1,"ok":true,"result":{"counted":3}})");
  EXPECT_EQ(line(fd), R"({"error":{"hint":"ask again","kind":"refused","message":"no, "},"id":2,"ok":false})");
  EXPECT_EQ(line(fd), R"({"id":3,"ok":true,"result":{"command":"echo","id":3}})");
  ::close(fd);
}

TEST_F(ControlServerTest, TwoClientsDoNotWaitForEachOther) {
  start();
  const int holding = connect();
  send(holding, "{\"command\":\"hold\"}\n");
  ASSERT_TRUE(handler.held.reaches(1));
  const int other = connect();
  send(other, "{\"command\":\"count\"}\n");
  for (int i = 0; i < 4; ++i) line(other);
  EXPECT_EQ(line(other), R"({"ok":true,"result":{"counted":3}})");
  ::close(other);
  ::close(holding);
}

TEST_F(ControlServerTest, AClientThatLeavesStopsItsCommand) {
  start();
  const int fd = connect();
  send(fd, "{\"command\":\"hold\"}\n");
  ASSERT_TRUE(handler.held.reaches(1));
  EXPECT_EQ(handler.let_go.value(), 0);
  ::close(fd);
  EXPECT_TRUE(handler.let_go.reaches(1));
}

TEST_F(ControlServerTest, AClientThatOnlyEndsItsRequestsIsStillAnswered) {
  start();
  const int fd = connect();
  send(fd, "{\"command\":\"count\"}\n");
  ::shutdown(fd, SHUT_WR);
  for (int i = 0; i < 4; ++i) line(fd);
  EXPECT_EQ(line(fd), R"({"ok":true,"result":{"counted":3}})");
  EXPECT_EQ(line(fd), "");
  ::close(fd);
}

TEST_F(ControlServerTest, AHalfClosedClientThatThenLeavesStopsItsCommand) {
  start();
  const int fd = connect();
  send(fd, "{\"command\":\"hold\"}\n");
  ASSERT_TRUE(handler.held.reaches(1));
  ::shutdown(fd, SHUT_WR);
  round_trip();
  EXPECT_EQ(handler.let_go.value(), 0);
  ::close(fd);
  EXPECT_TRUE(handler.let_go.reaches(1));
}

TEST_F(ControlServerTest, GarbageIsToldAndTheConnectionEnds) {
  start();
  const std::vector<std::string> garbage{"hello\n",
                                         "{\"command\":\n",
                                         "[]\n",
                                         "\n",
                                         "{}\n",
                                         "{\"command\":7}\n",
                                         "{\"command\":\"echo\",\"id\":-1}\n",
                                         std::string("\0\xff\xfe\n", 4),
                                         std::string(50'000, '[') + "\n"};
  for (const std::string& bytes : garbage) {
    const int fd = connect();
    send(fd, bytes);
    const json answer = json::parse(line(fd), nullptr, false);
    ASSERT_TRUE(answer.is_object()) << bytes.substr(0, 40);
    EXPECT_EQ(answer["ok"], false);
    EXPECT_EQ(answer["error"]["kind"], "usage");
    EXPECT_EQ(line(fd), "");
    ::close(fd);
  }
}

TEST_F(ControlServerTest, AnOversizeRequestIsRefused) {
  start();
  const int fd = connect();
  const std::string bytes(control_request_bytes_max, 'x');
  ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  EXPECT_EQ(line(fd), R"({"error":{"hint":"","kind":"usage","message":"a request line is at most 65536 bytes"},"ok":false})");
  EXPECT_EQ(line(fd), "");
  ::close(fd);
}

TEST_F(ControlServerTest, TheLargestRequestIsServed) {
  start();
  const int fd = connect();
  std::string request = R"({"command":"refuse","padding":")";
  request += std::string(control_request_bytes_max - 1 - request.size() - 2, 'x') + "\"}\n";
  ASSERT_EQ(request.size(), control_request_bytes_max);
  send(fd, request);
  EXPECT_EQ(line(fd), R"({"error":{"hint":"ask again","kind":"refused","message":"no, "},"ok":false})");
  ::close(fd);
}

TEST_F(ControlServerTest, OneClientTooManyIsToldBusyAndLaterServed) {
  start();
  std::vector<int> clients;
  for (std::size_t i = 0; i < ControlServer::clients_max; ++i) {
    clients.push_back(connect());
    send(clients.back(), "{\"command\":\"hold\"}\n");
  }
  ASSERT_TRUE(handler.held.reaches(static_cast<int>(ControlServer::clients_max)));
  const int more = connect();
  const json answer = json::parse(line(more), nullptr, false);
  EXPECT_EQ(answer["error"]["kind"], "busy");
  EXPECT_EQ(line(more), "");
  ::close(more);
  for (const int fd : clients) ::close(fd);
  ASSERT_TRUE(handler.let_go.reaches(static_cast<int>(ControlServer::clients_max)));
  const int later = connect();
  send(later, "{\"command\":\"echo\"}\n");
  EXPECT_EQ(line(later), R"({"ok":true,"result":{"command":"echo"}})");
  ::close(later);
}

TEST_F(ControlServerTest, TheSocketIsForItsOwnerAndGroup) {
  start();
  struct stat found {};
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0660u);
}

TEST_F(ControlServerTest, TheSocketIsRemovedAtTheEnd) {
  start();
  EXPECT_TRUE(std::filesystem::exists(path));
  stop();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ControlServerTest, RunningCommandsEndWhenTheServerStops) {
  start();
  const int fd = connect();
  send(fd, "{\"command\":\"hold\"}\n");
  ASSERT_TRUE(handler.held.reaches(1));
  stop();
  EXPECT_EQ(handler.let_go.value(), 1);
  EXPECT_EQ(line(fd), "");
  ::close(fd);
}

TEST_F(ControlServerTest, ASocketOfADeadProcessIsReplaced) {
  const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(dead);
  ASSERT_TRUE(std::filesystem::exists(path));
  start();
  const int fd = connect();
  send(fd, "{\"command\":\"echo\"}\n");
  EXPECT_EQ(line(fd), R"({"ok":true,"result":{"command":"echo"}})");
  ::close(fd);
}

TEST_F(ControlServerTest, ALiveSocketIsRefusedAndGoesOnServing) {
  start();
  ControlServer second(context.get_executor(), path, handler);
  const Result<void> bound = second.bind();
  ASSERT_FALSE(bound.ok());
  EXPECT_EQ(bound.error().kind, ErrorKind::busy);
  const int fd = connect();
  send(fd, "{\"command\":\"echo\"}\n");
  EXPECT_EQ(line(fd), R"({"ok":true,"result":{"command":"echo"}})");
  ::close(fd);
}

TEST_F(ControlServerTest, AFileThatIsNoSocketStays) {
  std::ofstream(path) << "precious";
  ControlServer another(context.get_executor(), path, handler);
  const Result<void> bound = another.bind();
  ASSERT_FALSE(bound.ok());
  EXPECT_EQ(bound.error().kind, ErrorKind::exists);
  EXPECT_EQ(std::filesystem::file_size(path), 8u);
}

TEST_F(ControlServerTest, APathThatIsTooLongIsAConfigurationError) {
  ControlServer another(context.get_executor(), directory + "/" + std::string(100, 'x'), handler);
  EXPECT_EQ(another.bind().error().kind, ErrorKind::config);
}

TEST(ControlRequest, ArgumentsAreReadWithTheirTypesChecked) {
  const Result<ControlRequest> request = ControlRequest::parse(
      R"({"command":"seed","database":"orders","node":"beta","full":true,"rate":80,"seconds":1.5,"from":"gamma","none":null})");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->command(), "seed");
  EXPECT_EQ(request->database(), "orders");
  EXPECT_EQ(request->node(), "beta");
  EXPECT_EQ(request->id(), std::nullopt);
  EXPECT_EQ(*request->flag("full"), true);
  EXPECT_EQ(*request->flag("detach"), false);
  EXPECT_EQ(*request->flag("none"), false);
  EXPECT_EQ(*request->count("rate", 0), 80u);
  EXPECT_EQ(*request->count("absent", 5), 5u);
  EXPECT_EQ(*request->number("seconds", 0), 1.5);
  EXPECT_EQ(*request->text("from"), "gamma");
  EXPECT_EQ(request->count("from", 0).error().message, "'from': expected an unsigned number, found string");
  EXPECT_EQ(request->flag("rate").error().kind, ErrorKind::usage);
  EXPECT_EQ(request->text("rate").error().message, "'rate': expected a string, found number");
}

TEST(ControlRequest, OneThatIsTooDeepIsRefused) {
  const auto nested = [](std::size_t lists, const std::string& inside) {
    return R"({"command":"echo","text":")" + std::string(40, '[') + R"(\"[[","deep":)" + std::string(lists, '[') + inside + std::string(lists, ']') + "}";
  };
  EXPECT_TRUE(ControlRequest::parse(nested(control_depth_max - 1, "")).ok());
  EXPECT_TRUE(ControlRequest::parse(nested(1, "[],{},[],{},[],{},[],{},[],{},[],{},[],{},[],{},[],{}")).ok());
  const Result<ControlRequest> deep = ControlRequest::parse(nested(control_depth_max, ""));
  ASSERT_FALSE(deep.ok());
  EXPECT_EQ(deep.error().kind, ErrorKind::usage);
  EXPECT_EQ(deep.error().message, "a request has at most 16 levels");
  EXPECT_FALSE(ControlRequest::parse(nested(control_request_bytes_max / 2, "")).ok());
}

TEST(ControlLine, EachKindIsReadBack) {
  Result<ControlLine> line = decode_line(encode_result(4, json{{"a", 1}}));
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->kind, ControlLine::Kind::result);
  EXPECT_EQ((*line->body)["a"], 1);
  line = decode_line(encode_error(std::nullopt, {ErrorKind::diverged, "m", "h"}));
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->kind, ControlLine::Kind::error);
  EXPECT_EQ(line->error.kind, ErrorKind::diverged);
  EXPECT_EQ(line->error.message, "m");
  EXPECT_EQ(line->error.hint, "h");
  line = decode_line(encode_progress(json{{"done_bytes", 9}}));
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->kind, ControlLine::Kind::progress);
  line = decode_line(encode_event(json{{"name", "x"}}));
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->kind, ControlLine::Kind::event);
}

TEST(ControlLine, ForeignLinesAreProtocolErrors) {
  for (const char* text : {"", "hello", "{}", "[1]", R"({"ok":true})", R"({"ok":false})", R"({"ok":"yes","result":1})",
                           R"({"ok":false,"error":"no"})"}) {
    const Result<ControlLine> line = decode_line(text);
    ASSERT_FALSE(line.ok()) << text;
    EXPECT_EQ(line.error().kind, ErrorKind::protocol);
  }
}

TEST(ControlLine, TextThatIsNotUtf8IsStillALine) {
  const Error error{ErrorKind::io, "file \xff", ""};
  EXPECT_EQ(encode_error(std::nullopt, error),
            "{\"error\":{\"hint\":\"\",\"kind\":\"io\",\"message\":\"file \xef\xbf\xbd\"},\"ok\":false}");
}

}  // namespace
}  // namespace ccr::engine
