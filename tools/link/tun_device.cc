#include "tools/link/tun_device.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace ccr::linklab {
namespace {

Error failed(const std::string& what, int error, std::string hint = {}) {
  return {ErrorKind::io, what + ": " + std::generic_category().message(error), std::move(hint)};
}

// The thread is in another namespace while this lives.
class Visit {
 public:
  explicit Visit(const std::string& namespace_path)
      : own_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)),
        other_(::open(namespace_path.c_str(), O_RDONLY | O_CLOEXEC)),
        error_(own_ < 0 || other_ < 0 || ::setns(other_, CLONE_NEWNET) != 0 ? errno : 0) {}
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit() {
    if (error_ == 0) CCR_ASSERT(::setns(own_, CLONE_NEWNET) == 0);
    if (own_ >= 0) ::close(own_);
    if (other_ >= 0) ::close(other_);
  }
  int error() const noexcept { return error_; }

 private:
  int own_;
  int other_;
  int error_;
};

}  // namespace

Result<TunDevice> TunDevice::open(const std::string& namespace_path, const std::string& interface) {
  ifreq request{};
  if (interface.empty() || interface.size() >= sizeof request.ifr_name) {
    return Error{ErrorKind::usage, "interface '" + interface + "' has more than 15 characters, or none", ""};
  }
  const Visit visit(namespace_path);
  if (visit.error() != 0) return failed("network namespace " + namespace_path, visit.error(), "only root may enter one");
  TunDevice device(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (device.descriptor_ < 0) return failed("/dev/net/tun", errno, "modprobe tun, and in a container --device /dev/net/tun");
  std::memcpy(request.ifr_name, interface.data(), interface.size());
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  if (::ioctl(device.descriptor_, TUNSETIFF, &request) != 0) return failed("interface " + interface, errno);
  constexpr unsigned long offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  if (::ioctl(device.descriptor_, TUNSETOFFLOAD, offloads) != 0) return failed("offloads of " + interface, errno);
  return device;
}

TunDevice::~TunDevice() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::size_t> TunDevice::read(ByteSpan room) const {
  const ssize_t got = ::read(descriptor_, room.data(), room.size());
  if (got >= 0) return static_cast<std::size_t>(got);
  if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
  return failed("reading a TUN device", errno);
}

bool TunDevice::write(ByteView headers, ByteView payload) const {
  // writev takes what it writes as not const, and does not change it.
  const std::array<iovec, 2> parts{
      {{const_cast<std::byte*>(headers.data()), headers.size()}, {const_cast<std::byte*>(payload.data()), payload.size()}}};
  return ::writev(descriptor_, parts.data(), payload.empty() ? 1 : 2) >= 0;
}

}  // namespace ccr::linklab
