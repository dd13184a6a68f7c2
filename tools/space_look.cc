#include "tools/space_look.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>

#include "base/system_clock.h"

namespace ccr::tools {
namespace {

// One directory, and who looks there.
struct Look {
  std::string directory;
  pid_t process = -1;
  int answer = -1;
};

// In a process of its own.
[[noreturn]] void look_there(const std::string& directory, int answer) {
  std::error_code failed;
  const std::filesystem::space_info space = std::filesystem::space(directory, failed);
  const std::uint64_t bytes = space.available;
  const bool told = !failed && ::write(answer, &bytes, sizeof bytes) == static_cast<ssize_t>(sizeof bytes);
  ::_exit(told ? 0 : 1);
}

Look begin_look(const std::string& directory) {
  Look look{directory};
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return look;
  look.process = ::fork();
  if (look.process == 0) look_there(directory, ends[1]);
  ::close(ends[1]);
  look.answer = ends[0];
  return look;
}

// `wait`: for its answer, at most.
std::optional<std::uint64_t> end_look(const Look& look, Duration wait) {
  if (look.process < 0) return std::nullopt;
  const auto left = std::max(std::chrono::duration_cast<std::chrono::milliseconds>(wait), std::chrono::milliseconds(0));
  pollfd waited{look.answer, POLLIN, 0};
  std::uint64_t bytes = 0;
  const bool said = ::poll(&waited, 1, static_cast<int>(left.count())) == 1;
  const bool told = said && ::read(look.answer, &bytes, sizeof bytes) == static_cast<ssize_t>(sizeof bytes);
  if (!said) ::kill(look.process, SIGKILL);
  ::waitpid(look.process, nullptr, said ? 0 : WNOHANG);
  return told ? std::optional(bytes) : std::nullopt;
}

}  // namespace

std::map<std::string, std::uint64_t> free_bytes_of(const std::vector<std::string>& directories) {
  std::vector<Look> looks;
  for (const std::string& directory : directories) looks.push_back(begin_look(directory));
  const SystemClock clock;
  const Instant until = clock.now() + look_max;
  std::map<std::string, std::uint64_t> found;
  for (const Look& look : looks) {
    if (const std::optional<std::uint64_t> bytes = end_look(look, until - clock.now())) found[look.directory] = *bytes;
    if (look.answer >= 0) ::close(look.answer);
  }
  return found;
}

}  // namespace ccr::tools
