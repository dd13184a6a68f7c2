#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include <nlohmann/json.hpp>

#include "tools/control_client.h"

namespace ccr::tools {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// A daemon that reads one line, says what it was told to, and closes.
class ControlClientTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ccr-client-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/s";
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener_, 4), 0);
  }
  void TearDown() override {
    if (daemon_.joinable()) daemon_.join();
    ::close(listener_);
    std::filesystem::remove_all(directory_);
  }
  void answer(const std::string& text) {
    daemon_ = std::thread([this, text] {
      const int client = ::accept(listener_, nullptr, nullptr);
      char c = 0;
      while (::recv(client, &c, 1, 0) == 1 && c != '\n') request_ += c;
      ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
      ::close(client);
    });
  }
  Result<json> call(const ControlClient::Watch& watch) {
    Result<ControlClient> client = ControlClient::connect(path_);
    EXPECT_TRUE(client.ok());
    Result<json> result = client->call({{"command", "status"}}, watch);
    if (daemon_.joinable()) daemon_.join();
    return result;
  }

  std::string directory_, path_, request_;
  int listener_ = -1;
  std::thread daemon_;
};

TEST_F(ControlClientTest, ProgressEventsAndResultArriveInOrder) {
  answer("{\"progress\":{\"done_bytes\":1}}\n{\"event\":{\"name\":\"x\"}}\n{\"ok\":true,\"result\":{\"a\":1}}\n");
  std::string seen;
  ControlClient::Watch watch;
  watch.on_progress = [&seen](const json& fields) { seen += "progress " + fields.dump() + "; "; };
  watch.on_event = [&seen](const json& fields) { seen += "event " + fields.dump(); };
  const Result<json> result = call(watch);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->dump(), R"({"a":1})");
  EXPECT_EQ(seen, R"(progress {"done_bytes":1}; event {"name":"x"})");
  EXPECT_EQ(request_, R"({"command":"status"})");
}

TEST_F(ControlClientTest, TheDaemonsErrorIsHandedOn) {
  answer("{\"ok\":false,\"error\":{\"kind\":\"refused\",\"message\":\"no\",\"hint\":\"ask\"}}\n");
  const Result<json> result = call({});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::refused);
  EXPECT_EQ(result.error().hint, "ask");
}

TEST_F(ControlClientTest, ADaemonThatEndsIsDisconnected) {
  answer("{\"ok\":tr");
  EXPECT_EQ(call({}).error().kind, ErrorKind::disconnected);
}

TEST_F(ControlClientTest, GarbageIsAProtocolError) {
  answer("hello\n");
  EXPECT_EQ(call({}).error().kind, ErrorKind::protocol);
}

TEST_F(ControlClientTest, ASilentDaemonIsUnreachableAfterAWhile) {
  ControlClient::Watch watch;
  watch.silence_max = 20ms;
  EXPECT_EQ(call(watch).error().kind, ErrorKind::unreachable);
}

TEST_F(ControlClientTest, AnInterruptDetaches) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  ASSERT_EQ(::write(pipe[1], "x", 1), 1);
  ControlClient::Watch watch;
  watch.silence_max = Duration::zero();
  watch.interrupt = pipe[0];
  EXPECT_EQ(call(watch).error().kind, ErrorKind::stopped);
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(ControlClientTest, WorkThatNobodyWaitsForGoesOnUntilTheDaemonSaysItsEnd) {
  Result<ControlClient> client = ControlClient::connect(path_);
  ASSERT_TRUE(client.ok());
  ASSERT_TRUE(client->begin({{"command", "load"}}).ok());
  EXPECT_EQ(*client->goes_on(), true) << "nothing was said yet";
  answer("{\"progress\":{\"bytes\":1}}\n{\"ok\":true,\"result\":{}}\n");
  daemon_.join();
  EXPECT_EQ(*client->goes_on(), false);
  EXPECT_EQ(request_, R"({"command":"load"})");
}

TEST_F(ControlClientTest, WorkThatFailsMeanwhileIsAnError) {
  Result<ControlClient> client = ControlClient::connect(path_);
  ASSERT_TRUE(client->begin({{"command", "load"}}).ok());
  answer("{\"progress\":{\"bytes\":1}}\n{\"ok\":false,\"error\":{\"kind\":\"busy\",\"message\":\"no\",\"hint\":\"\"}}\n");
  daemon_.join();
  EXPECT_EQ(client->goes_on().error().kind, ErrorKind::busy);
  EXPECT_EQ(client->goes_on().error().kind, ErrorKind::disconnected) << "and gone";
}

TEST_F(ControlClientTest, NobodyBehindTheSocketMeansTheDaemonDoesNotRun) {
  ::close(listener_);
  EXPECT_EQ(ControlClient::connect(path_).error().kind, ErrorKind::not_found);
  EXPECT_EQ(ControlClient::connect(directory_ + "/none").error().kind, ErrorKind::not_found);
  listener_ = -1;
}

}  // namespace
}  // namespace ccr::tools
