#include "tools/drill_guard.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/system_clock.h"
#include "tools/json_fields.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

constexpr std::size_t order_bytes_max = 64 * KiB;

// Of the guard's own process.
class Watchman {
 public:
  explicit Watchman(int socket) : socket_(socket) {}

  [[noreturn]] void stand() {
    for (;;) {
      if (!readable()) {
        thaw();
        continue;
      }
      std::array<char, order_bytes_max> order;
      const ssize_t count = ::recv(socket_, order.data(), order.size(), 0);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) leave();
      obey(json::parse(order.begin(), order.begin() + count, nullptr, false));
    }
  }

 private:
  // False: the frozen process has waited long enough.
  bool readable() const {
    pollfd wait{socket_, POLLIN, 0};
    int limit = -1;
    if (frozen_ >= 0) limit = std::max(0, static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(until_ - clock_.now()).count()));
    return ::poll(&wait, 1, limit) != 0;
  }

  void obey(const json& order) {
    json answer{{"ok", true}};
    if (field(order, "keep").is_object()) plan_ = return_plan_of(order["keep"]);
    if (flag_field(order, "over")) plan_.reset();
    if (flag_field(order, "thaw")) thaw();
    if (const std::optional<std::uint64_t> process = count_field(order, "freeze")) {
      if (!freeze(static_cast<pid_t>(*process), number_field(order, "seconds").value_or(0))) answer = {{"ok", false}, {"error", std::strerror(errno)}};
    }
    const std::string text = answer.dump();
    static_cast<void>(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL));
  }

  // By a descriptor of the process, so that no other one of its number is ever meant.
  bool freeze(pid_t process, double seconds) {
    thaw();
    frozen_ = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
    if (frozen_ < 0) return false;
    until_ = clock_.now() + duration_of(seconds);
    if (::syscall(SYS_pidfd_send_signal, frozen_, SIGSTOP, nullptr, 0) == 0) return true;
    const int code = errno;
    thaw();
    errno = code;
    return false;
  }

  void thaw() {
    if (frozen_ < 0) return;
    static_cast<void>(::syscall(SYS_pidfd_send_signal, frozen_, SIGCONT, nullptr, 0));
    ::close(frozen_);
    frozen_ = -1;
  }

  [[noreturn]] void leave() {
    thaw();
    ReturnOptions options;
    constexpr int look_again_ms = 200;
    options.between = [] { return ::poll(nullptr, 0, look_again_ms) == 0; };
    if (plan_) static_cast<void>(go_home(*plan_, options));
    ::_exit(0);
  }

  const int socket_;
  SystemClock clock_;
  std::optional<ReturnPlan> plan_;
  int frozen_ = -1;
  Instant until_;
};

// What belongs to the drill's terminal and to who reads its output is let go of.
void leave_the_terminal(int socket) {
  ::setsid();
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(number, SIG_IGN);
  const int nothing = ::open("/dev/null", O_RDWR);
  for (const int standard : {0, 1, 2}) ::dup2(nothing, standard);
  const int keep = ::dup2(socket, 3);
  if (keep == 3) ::syscall(SYS_close_range, 4, ~0u, 0);
}

}  // namespace

Result<std::unique_ptr<DrillGuard>> DrillGuard::make() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return Error{ErrorKind::io, std::string("socketpair: ") + std::strerror(errno), ""};
  const pid_t process = ::fork();
  if (process == 0) {
    leave_the_terminal(ends[1]);
    Watchman(3).stand();
  }
  ::close(ends[1]);
  if (process < 0) {
    ::close(ends[0]);
    return Error{ErrorKind::io, std::string("fork: ") + std::strerror(errno), ""};
  }
  return std::unique_ptr<DrillGuard>(new DrillGuard(ends[0], process));
}

DrillGuard::~DrillGuard() {
  static_cast<void>(thaw());
  ::close(socket_);
  while (over_ && ::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {}
}

Result<void> DrillGuard::ask(const json& order) {
  const std::string text = order.dump();
  const Error gone{ErrorKind::unreachable, "the guard of the drill is gone", ""};
  if (text.size() > order_bytes_max || ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) < 0) return gone;
  pollfd wait{socket_, POLLIN, 0};
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(answer_max).count();
  if (::poll(&wait, 1, static_cast<int>(limit)) <= 0) return gone;
  std::array<char, 4 * KiB> answer;
  const ssize_t count = ::recv(socket_, answer.data(), answer.size(), 0);
  if (count <= 0) return gone;
  const json told = json::parse(answer.begin(), answer.begin() + count, nullptr, false);
  if (!flag_field(told, "ok")) return Error{ErrorKind::refused, text_field(told, "error"), "run it as root, or as the user the daemon runs as"};
  return {};
}

Result<void> DrillGuard::keep(const ReturnPlan& plan) { return ask({{"keep", return_json(plan)}}); }

Result<void> DrillGuard::freeze(int process, Duration how_long) {
  CCR_ASSERT(process > 0 && how_long > Duration::zero() && how_long <= freeze_max);
  frozen_ = process;
  return ask({{"freeze", process}, {"seconds", seconds_of(how_long)}});
}

Result<void> DrillGuard::thaw() {
  if (frozen_ == 0) return {};
  const int process = std::exchange(frozen_, 0);
  const Result<void> thawed = ask({{"thaw", true}});
  if (!thawed.ok()) ::kill(process, SIGCONT);
  return {};
}

void DrillGuard::over() {
  over_ = true;
  static_cast<void>(ask({{"over", true}}));
}

}  // namespace ccr::tools
