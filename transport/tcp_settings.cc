#include "transport/tcp_settings.h"

#include <algorithm>
#include <cerrno>
#include <limits>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/tcp_facts.h"

#ifndef SO_BUF_LOCK  // Linux 5.14
#define SO_BUF_LOCK 72
#endif

namespace ccr::transport {
namespace {

constexpr std::uint64_t doubling = 2;  // SO_RCVBUF and SO_SNDBUF: the kernel adds as much again for its overhead
// Of congestion = "auto": the fastest where nothing is lost (three times bbr on a loopback), and fair to others.
constexpr const char* first_of_auto = "cubic";

// Where the window by hand is small: what TLS writes at once should fit.
constexpr std::uint64_t send_buffer_min = 512 * KiB;

// A socket to ask the kernel about; IPv6 has the same options and limits.
class Probe {
 public:
  Probe() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Probe() {
    if (socket_ >= 0) ::close(socket_);
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  int socket() const noexcept { return socket_; }

 private:
  int socket_;
};

bool set_number(int socket, int level, int option, std::uint64_t value) {
  const int number = static_cast<int>(std::min<std::uint64_t>(value, std::numeric_limits<int>::max() / 2));
  return ::setsockopt(socket, level, option, &number, sizeof number) == 0;
}

struct BufferOption {
  int plain, forced;
};
constexpr BufferOption receive_option{SO_RCVBUF, SO_RCVBUFFORCE};
constexpr BufferOption send_option{SO_SNDBUF, SO_SNDBUFFORCE};

// The kernel doubles `bytes`; unforced it takes at most rmem_max or wmem_max.
void set_buffer(int socket, const BufferOption& option, std::uint64_t bytes) {
  if (!set_number(socket, SOL_SOCKET, option.forced, bytes)) set_number(socket, SOL_SOCKET, option.plain, bytes);
}

std::uint64_t reach_of(const BufferOption& option) {
  const Probe probe;
  set_buffer(probe.socket(), option, std::numeric_limits<int>::max());
  return read_socket_amount(probe.socket(), SOL_SOCKET, option.plain);
}

// Whether the scale that the kernel makes by itself would hold auto back, and this process can do something about it.
bool scale_is_short(const TcpSettings& settings, const BufferPair& reach) {
  const std::uint64_t kernels = std::max(settings.limits.receive_auto_max, settings.limits.receive_asked_max);
  return settings.window == 0 && settings.limits.receive_auto_max > 0 && kernels < auto_window_max &&
         reach.receive >= auto_buffer_max;
}

}  // namespace

BufferPair reach_of_process() { return {reach_of(send_option), reach_of(receive_option)}; }

Result<void> try_congestion(const std::string& name, const std::string& available) {
  const Probe probe;
  if (set_congestion(probe.socket(), name)) return {};
  if (errno == EPERM)
    return Error{ErrorKind::config, "congestion control '" + name + "' is not allowed to this process",
                 "sysctl net.ipv4.tcp_allowed_congestion_control names those that are; or CAP_NET_ADMIN"};
  return Error{ErrorKind::config, "this kernel has no congestion control '" + name + "': it has " + available,
               "modprobe tcp_" + name + ", or congestion = \"auto\""};
}

void prepare_socket(int socket, const TcpSettings& settings, const BufferPair& reach) {
  if (settings.congestion != "default") set_congestion(socket, settings.congestion == "auto" ? first_of_auto : settings.congestion);
  if (settings.window > 0) set_window(socket, settings, reach);
  if (scale_is_short(settings, reach)) set_buffer(socket, receive_option, auto_window_max);
}

void settle_socket(int socket, const TcpSettings& settings, const BufferPair& reach) {
  if (!scale_is_short(settings, reach)) return;
  const Probe fresh;
  const std::uint64_t kernels = read_socket_amount(fresh.socket(), SOL_SOCKET, SO_RCVBUF);
  set_buffer(socket, receive_option, kernels / doubling);
  set_window_clamp(socket, kernels / doubling);
  // Unlocked, it is the kernel's again. A kernel that cannot unlock must keep the large one.
  if (set_number(socket, SOL_SOCKET, SO_BUF_LOCK, 0)) return;
  grow_receive_buffer(socket, auto_buffer_max);
}

// A buffer that is set is no longer tuned: where less may be set than tuning would give, it stays the kernel's.
void set_window(int socket, const TcpSettings& settings, const BufferPair& reach) {
  const std::uint64_t receive = buffer_by_hand(settings.window * doubling, settings.limits.receive_auto_max, reach.receive);
  const std::uint64_t wanted = std::max(settings.window * doubling, send_buffer_min);
  const std::uint64_t send = buffer_by_hand(wanted, settings.limits.send_auto_max, reach.send);
  if (receive > 0) set_buffer(socket, receive_option, receive / doubling);
  if (send > 0) set_buffer(socket, send_option, send / doubling);
  set_window_clamp(socket, settings.window);
}

bool set_window_clamp(int socket, std::uint64_t bytes) { return set_number(socket, IPPROTO_TCP, TCP_WINDOW_CLAMP, bytes); }

bool set_congestion(int socket, const std::string& name) {
  return ::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(), static_cast<socklen_t>(name.size())) == 0;
}

void grow_send_buffer(int socket, std::uint64_t bytes) {
  if (bytes > read_socket_amount(socket, SOL_SOCKET, SO_SNDBUF)) set_buffer(socket, send_option, bytes / doubling);
}

void grow_receive_buffer(int socket, std::uint64_t bytes) {
  if (bytes <= read_socket_amount(socket, SOL_SOCKET, SO_RCVBUF)) return;
  set_buffer(socket, receive_option, bytes / doubling);
  set_window_clamp(socket, bytes / doubling);
}

}  // namespace ccr::transport
