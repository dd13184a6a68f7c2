#include "tools/tcp_setup.h"

#include <iterator>
#include <sstream>

#include <fmt/format.h>

#include "tools/amounts.h"

namespace ccr::tools {
namespace {

// A name that is nearly one of the kernel's was mistyped; any other may be that of a module.
Error with_nearest(Error error, const std::string& name, const Result<HostNetwork>& host) {
  if (!host.ok()) return error;
  std::istringstream words(host->congestion_available);
  const std::vector<std::string> there{std::istream_iterator<std::string>(words), {}};
  const std::optional<std::string> nearest = engine::did_you_mean(name, there);
  if (nearest) error.hint = "did you mean '" + *nearest + "'?";
  return error;
}

}  // namespace

std::string window_warning(std::uint64_t asked, const transport::HostLimits& limits, const transport::BufferPair& reach) {
  if (asked == 0) return "";
  const std::uint64_t granted = transport::window_by_hand(asked, limits.receive_auto_max, reach.receive);
  if (!limits.scaling && asked > transport::unscaled_window_max)
    return fmt::format(
        "transport.window = {}: window scaling is off on this host, 64 KiB is all it can be (sysctl -w "
        "net.ipv4.tcp_window_scaling=1)",
        size_text(asked));
  if (granted >= asked) return "";
  return fmt::format(
      "transport.window = {}: this host gives {} (sysctl -w net.core.rmem_max={} net.core.wmem_max={}, or CAP_NET_ADMIN)",
      size_text(asked), size_text(granted), asked, asked);
}

Result<TcpSetup> tcp_setup(const engine::TransportConfig& transport) {
  TcpSetup setup;
  setup.settings.window = transport.window_bytes;
  setup.settings.congestion = transport.congestion;
  const Result<HostNetwork> host = read_host_network();
  if (host.ok()) {
    setup.settings.limits = host->limits;
    setup.warning = window_warning(transport.window_bytes, host->limits, transport::reach_of_process());
  } else {
    setup.warning = host.error().message + ": the kernel tunes windows by itself";
  }
  if (transport.congestion != "auto" && transport.congestion != "default") {
    const Result<void> there = transport::try_congestion(transport.congestion, host.ok() ? host->congestion_available : "others");
    if (!there.ok()) return with_nearest(there.error().within("transport.congestion"), transport.congestion, host);
  }
  return setup;
}

}  // namespace ccr::tools
