// A command of the user's has nothing of this process but its environment and three descriptors.
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "base/system_clock.h"
#include "tools/host_programs.h"

namespace ccr::tools {
namespace {

Result<void> run(const std::string& command) {
  asio::io_context context;
  SystemClock clock;
  HostPrograms programs(clock);
  ProgramCall call;
  call.command = command;
  call.environment = {{"CCR_PATH", "/srv/orders.db"}};
  call.limit = std::chrono::seconds(20);
  std::optional<Result<void>> outcome;
  const auto body = [&]() -> Task<void> { outcome = co_await programs.run(std::move(call)); };
  asio::co_spawn(context, body(), [](std::exception_ptr failure) { EXPECT_EQ(failure, nullptr); });
  context.run_for(std::chrono::seconds(30));
  return outcome ? *outcome : Result<void>(Error{ErrorKind::timeout, "it did not end", ""});
}

TEST(HostPrograms, ACommandHasItsEnvironmentAndItsWordsStandInTheError) {
  EXPECT_TRUE(run("test \"$CCR_PATH\" = /srv/orders.db").ok());
  const Result<void> ended = run("echo no such unit >&2; exit 5");
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().message, "the command ended with status 5: no such unit");
}

// Else the application that on_promote started holds the node's port, and a new daemon on its host cannot serve.
TEST(HostPrograms, ACommandHasNoSocketOfThisProcess) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);  // as Asio opens them
  ASSERT_GT(socket, STDERR_FILENO);
  const Result<void> ended = run("test ! -e /proc/self/fd/" + std::to_string(socket));
  EXPECT_TRUE(ended.ok()) << ended.error().message;
  ::close(socket);
}

}  // namespace
}  // namespace ccr::tools
