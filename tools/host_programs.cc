#include "tools/host_programs.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/undo.h"

extern char** environ;

namespace ccr::tools {
namespace {

struct Child {
  pid_t process = 0;
  int output = -1;  // read end, non-blocking
};

Result<Child> start(const ProgramCall& call) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return Error{ErrorKind::io, std::string("pipe: ") + std::strerror(errno), ""};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDERR_FILENO);
  // Sockets are Asio's, and are not closed by exec: an application that stays would hold this node's port, and its connections open behind a kill -9.
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  std::vector<std::string> texts;
  for (char** each = environ; *each != nullptr; ++each) texts.emplace_back(*each);
  for (const auto& [name, value] : call.environment) texts.push_back(name + "=" + value);
  std::vector<char*> environment;
  for (std::string& text : texts) environment.push_back(text.data());
  environment.push_back(nullptr);
  std::string shell = "sh", option = "-c", command = call.command;
  std::array<char*, 4> arguments{shell.data(), option.data(), command.data(), nullptr};
  Child child;
  const int failed = ::posix_spawn(&child.process, "/bin/sh", &actions, &attributes, arguments.data(), environment.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  child.output = pipe[0];
  if (failed == 0) return child;
  ::close(pipe[0]);
  return Error{ErrorKind::io, std::string("/bin/sh: ") + std::strerror(failed), ""};
}

// Of what is there now; the end of the pipe may never come.
void read_output(int descriptor, std::string& tail) {
  ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
  std::array<char, 4096> bytes{};
  for (int reads = 0; reads < 256; ++reads) {
    const ssize_t got = ::read(descriptor, bytes.data(), bytes.size());
    if (got <= 0) return;
    tail.append(bytes.data(), static_cast<std::size_t>(got));
    if (tail.size() > HostPrograms::output_bytes_max) tail.erase(0, tail.size() - HostPrograms::output_bytes_max);
  }
}

std::string ending_of(int status, std::string output) {
  while (!output.empty() && (output.back() == '\n' || output.back() == ' ')) output.pop_back();
  for (char& each : output)
    if (static_cast<unsigned char>(each) < 0x20) each = ' ';
  const std::string how = WIFSIGNALED(status) ? "was ended by signal " + std::to_string(WTERMSIG(status)) : "ended with status " + std::to_string(WEXITSTATUS(status));
  return "the command " + how + (output.empty() ? "" : ": " + output);
}

}  // namespace

Task<Result<void>> HostPrograms::run(ProgramCall call) {
  constexpr Duration look = std::chrono::milliseconds(10), look_long = std::chrono::milliseconds(100);
  const Result<Child> started = start(call);
  if (!started.ok()) co_return started.error();
  const Child child = *started;
  bool reaped = false;
  const Undo end_of_child([&child, &reaped] {
    ::close(child.output);
    if (reaped) return;
    ::kill(-child.process, SIGKILL);
    ::waitpid(child.process, nullptr, 0);
  });
  std::string output;
  Duration waited{};
  bool asked = false, killed = false;
  int status = 0;
  for (;;) {
    read_output(child.output, output);
    if (::waitpid(child.process, &status, WNOHANG) == child.process) break;
    const Duration pause = waited < std::chrono::seconds(1) ? look : look_long;
    co_await clock_.sleep(pause);
    waited += pause;
    if (waited >= call.limit && !std::exchange(asked, true)) ::kill(-child.process, SIGTERM);
    if (waited >= call.limit + grace && !std::exchange(killed, true)) ::kill(-child.process, SIGKILL);
  }
  reaped = true;
  read_output(child.output, output);
  if (asked) co_return Error{ErrorKind::timeout, "the command did not end within " + std::to_string(call.limit / std::chrono::seconds(1)) + " s, and was ended", ""};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) co_return Result<void>();
  co_return Error{ErrorKind::refused, ending_of(status, std::move(output)), ""};
}

}  // namespace ccr::tools
