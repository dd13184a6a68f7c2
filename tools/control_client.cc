#include "tools/control_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/control.h"

namespace ccr::tools {
namespace {

using engine::ControlLine;

Error closed_early() { return {ErrorKind::disconnected, "the daemon closed the control connection", "ccr status"}; }

}  // namespace

ControlClient::ControlClient(ControlClient&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), received_(std::move(other.received_)), searched_(other.searched_) {}

ControlClient::~ControlClient() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<ControlClient> ControlClient::connect(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) {
    return Error{ErrorKind::config, fmt::format("control socket '{}': the path is too long", socket_path), ""};
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return Error{ErrorKind::io, fmt::format("control socket: {}", std::strerror(errno)), ""};
  ControlClient client(descriptor);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return client;
  const int code = errno;
  if (code == ENOENT || code == ECONNREFUSED || code == ENOTDIR) {
    return Error{ErrorKind::not_found, fmt::format("the daemon is not running: nobody answers on '{}'", socket_path),
                 "start it: ccr serve"};
  }
  const bool denied = code == EACCES || code == EPERM;
  return Error{ErrorKind::unreachable, fmt::format("control socket '{}': {}", socket_path, std::strerror(code)),
               denied ? "run it as root, or as the user the daemon runs as" : ""};
}

Result<void> ControlClient::send(const std::string& line) {
  std::size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t count = ::send(descriptor_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EPIPE || errno == ECONNRESET)) return {};  // its last line says why
    if (count < 0) return Error{ErrorKind::disconnected, fmt::format("control socket: {}", std::strerror(errno)), ""};
    sent += static_cast<std::size_t>(count);
  }
  return {};
}

Result<void> ControlClient::wait_readable(const Watch& watch) {
  std::array<pollfd, 2> waits{pollfd{descriptor_, POLLIN, 0}, pollfd{watch.interrupt, POLLIN, 0}};  // poll skips a descriptor of -1
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(watch.silence_max).count();
  for (;;) {
    const int ready = ::poll(waits.data(), waits.size(), limit == 0 ? -1 : static_cast<int>(limit));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return Error{ErrorKind::io, fmt::format("poll: {}", std::strerror(errno)), ""};
    if (ready == 0) {
      return Error{ErrorKind::unreachable, fmt::format("the daemon did not answer within {} ms", limit),
                   "ccr events tells what it does"};
    }
    if (waits[1].revents != 0) return Error{ErrorKind::stopped, "interrupted", ""};
    return {};
  }
}

Result<std::string> ControlClient::read_line(const Watch& watch) {
  for (;;) {
    const std::size_t end = received_.find('\n', searched_);
    if (end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      searched_ = 0;
      return line;
    }
    searched_ = received_.size();
    if (received_.size() > line_bytes_max) return Error{ErrorKind::protocol, "the daemon sent a line without end", ""};
    CCR_TRY(wait_readable(watch));
    std::array<char, 64 * KiB> piece;
    const ssize_t count = ::recv(descriptor_, piece.data(), piece.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return closed_early();
    received_.append(piece.data(), static_cast<std::size_t>(count));
  }
}

Result<nlohmann::json> ControlClient::call(const nlohmann::json& request, const Watch& watch) {
  CCR_TRY(begin(request));
  for (;;) {
    const Result<std::string> text = read_line(watch);
    if (!text) return text.error();
    Result<std::optional<nlohmann::json>> result = take(*text, watch);
    if (!result) return result.error();
    if (*result) return std::move(**result);
  }
}

Result<std::optional<nlohmann::json>> ControlClient::take(const std::string& text, const Watch& watch) {
  Result<ControlLine> line = engine::decode_line(text);
  if (!line) return line.error();
  switch (line->kind) {
    case ControlLine::Kind::progress:
      if (watch.on_progress) watch.on_progress(*line->body);
      break;
    case ControlLine::Kind::event:
      if (watch.on_event) watch.on_event(*line->body);
      break;
    case ControlLine::Kind::result:
      return std::optional(std::move(*line->body));
    case ControlLine::Kind::error:
      return line->error;
  }
  return std::optional<nlohmann::json>();
}

Result<void> ControlClient::begin(const nlohmann::json& request) {
  return send(request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

Result<std::optional<nlohmann::json>> ControlClient::ended() {
  for (;;) {
    pollfd there{descriptor_, POLLIN, 0};
    const bool line_there = received_.find('\n', searched_) != std::string::npos;
    if (!line_there && ::poll(&there, 1, 0) <= 0) return std::optional<nlohmann::json>();
    const Result<std::string> text = read_line({});
    if (!text) return text.error();
    Result<std::optional<nlohmann::json>> result = take(*text, {});
    if (!result || *result) return result;
  }
}

Result<bool> ControlClient::goes_on() {
  const Result<std::optional<nlohmann::json>> result = ended();
  if (!result) return result.error();
  return !*result;
}

std::optional<int> ControlClient::peer_process() const {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (::getsockopt(descriptor_, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0 || peer.pid <= 0) return std::nullopt;
  return peer.pid;
}

}  // namespace ccr::tools
