#include "engine/control_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include <asio/local/stream_protocol.hpp>
#include <asio/redirect_error.hpp>

#include "base/system_clock.h"
#include "base/task_group.h"
#include "engine/control_session.h"

namespace ccr::engine {
namespace {

using namespace std::chrono_literals;
using Protocol = asio::local::stream_protocol;

constexpr mode_t socket_mode = 0660;
constexpr int backlog = 16;
constexpr Duration accept_retry = 100ms;  // out of descriptors: somebody will close some

Error failed(const std::string& what, const std::string& path, int code) {
  const ErrorKind kind = code == EACCES || code == EPERM || code == EROFS ? ErrorKind::read_only : ErrorKind::io;
  return {kind, "control socket '" + path + "': " + what + ": " + std::strerror(code), ""};
}

// True when a process accepts connections at `path`.
bool answers(const std::string& path) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return true;  // cannot tell: do not take it away
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int connected = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool refused = connected != 0 && (errno == ECONNREFUSED || errno == ENOENT);
  ::close(probe);
  return !refused;
}

// Takes away what a dead process left; says no to everything else that is in the way.
Result<void> clear_place(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return failed("stat", path, errno);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Error{ErrorKind::exists, "control socket '" + path + "': expected a socket or nothing there, found another file",
                 "move it away"};
  }
  if (answers(path)) {
    return Error{ErrorKind::busy, "control socket '" + path + "': another ccr serve answers there",
                 "stop it, or give this node a state_dir of its own"};
  }
  if (::unlink(path.c_str()) != 0) return failed("remove the old socket", path, errno);
  return {};
}

// Best effort and without waiting: the line fits into an empty socket buffer.
void turn_away(Protocol::socket socket) {
  const Error busy{ErrorKind::busy, "the daemon serves " + std::to_string(ControlServer::clients_max) + " control clients already",
                   "try again in a moment"};
  const std::string line = encode_error(std::nullopt, busy) + "\n";
  asio::error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(line), ignored);
}

}  // namespace

struct ControlServer::State {
  State(const Executor& executor, std::string path, ControlHandler& handles)
      : socket_path(std::move(path)), handler(handles), acceptor(executor) {}
  ~State() { remove_socket(); }

  Result<void> bind();
  void remove_socket();
  Task<Result<void>> accept_clients(TaskGroup& group);
  Task<Result<void>> serve_client(Protocol::socket socket);

  std::string socket_path;
  ControlHandler& handler;
  SystemClock clock;
  Protocol::acceptor acceptor;
  std::size_t clients = 0;
  struct stat bound {};  // the socket we made: only that one is removed
};

Result<void> ControlServer::State::bind() {
  sockaddr_un address{};
  if (socket_path.empty() || socket_path.size() >= sizeof address.sun_path) {
    return Error{ErrorKind::config,
                 "control socket '" + socket_path + "': expected at most " + std::to_string(sizeof address.sun_path - 1) +
                     " characters, found " + std::to_string(socket_path.size()),
                 "set control_socket to a shorter path"};
  }
  CCR_TRY(clear_place(socket_path));
  asio::error_code failure;
  acceptor.open(Protocol(), failure);
  // The mode of the inode is that of the socket when it is bound: no moment in which others could connect.
  if (!failure && ::fchmod(acceptor.native_handle(), socket_mode) != 0) failure.assign(errno, asio::error::get_system_category());
  if (!failure) acceptor.bind(Protocol::endpoint(socket_path), failure);
  if (failure) return failed("bind", socket_path, failure.value());
  if (::chmod(socket_path.c_str(), socket_mode) != 0 || ::stat(socket_path.c_str(), &bound) != 0)
    return failed("bind", socket_path, errno);
  acceptor.listen(backlog, failure);
  if (failure) return failed("listen", socket_path, failure.value());
  return {};
}

void ControlServer::State::remove_socket() {
  if (!acceptor.is_open()) return;
  struct stat found {};
  const bool ours = ::stat(socket_path.c_str(), &found) == 0 && found.st_ino == bound.st_ino && found.st_dev == bound.st_dev;
  if (ours) ::unlink(socket_path.c_str());
  asio::error_code ignored;  // nothing can be done about a failed close
  acceptor.close(ignored);
}

Task<Result<void>> ControlServer::State::accept_clients(TaskGroup& group) {
  for (;;) {
    asio::error_code failure;
    Protocol::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, failure));
    if (failure == asio::error::operation_aborted) throw std::system_error(failure);
    if (failure) {
      co_await clock.sleep(accept_retry);
      continue;
    }
    if (clients >= clients_max) {
      turn_away(std::move(socket));
      continue;
    }
    ++clients;
    group.spawn(serve_client(std::move(socket)), TaskGroup::OnError::keep_others);
  }
}

Task<Result<void>> ControlServer::State::serve_client(Protocol::socket socket) {
  struct Leave {
    std::size_t& clients;
    ~Leave() { --clients; }
  } leave{clients};
  ControlSession session(std::move(socket), clock, handler);
  const Result<void> ended = co_await session.run();  // what went wrong was the client's, and it was told
  static_cast<void>(ended);
  co_return Result<void>();
}

ControlServer::ControlServer(Executor executor, std::string socket_path, ControlHandler& handler)
    : state_(std::make_unique<State>(executor, std::move(socket_path), handler)) {}
ControlServer::~ControlServer() = default;

Result<void> ControlServer::bind() { return state_->bind(); }

Task<Result<void>> ControlServer::run() {
  if (!state_->acceptor.is_open()) CCR_CO_TRY(state_->bind());
  struct Remove {
    State& state;
    ~Remove() { state.remove_socket(); }
  } remove{*state_};
  const Executor executor = co_await asio::this_coro::executor;
  TaskGroup group(executor);
  group.spawn(state_->accept_clients(group));
  co_return co_await group.join();
}

}  // namespace ccr::engine
