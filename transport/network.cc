#include "transport/network.h"

#include <charconv>
#include <optional>

#include <asio/ip/address.hpp>

namespace ccr::transport {
namespace {

Error not_an_endpoint(const std::string& text, const std::string& why) {
  return {ErrorKind::config, "'" + text + "' is not an address: " + why,
          "write 10.77.0.1:64327 or [fd00::1]:64327; names are not looked up"};
}

// 1..65535, digits only.
std::optional<std::uint16_t> parse_port(const std::string& text) {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || stop != end || port == 0 || text.front() == '0') return std::nullopt;
  return port;
}

struct HostAndPort {
  std::string host, port;
};

Result<HostAndPort> split(const std::string& text) {
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find("]:");
    if (close == std::string::npos) return not_an_endpoint(text, "after '[' an IPv6 address, then ']:' and a port are expected");
    return HostAndPort{text.substr(1, close - 1), text.substr(close + 2)};
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return not_an_endpoint(text, "the port is missing");
  if (text.find(':', colon + 1) != std::string::npos) return not_an_endpoint(text, "an IPv6 address stands in brackets");
  return HostAndPort{text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

Task<Result<void>> Connection::prove() { co_return Result<void>(); }

std::string Endpoint::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> parse_endpoint(const std::string& text) {
  const Result<HostAndPort> parts = split(text);
  CCR_TRY(parts);
  const bool bracketed = text.front() == '[';
  asio::error_code error;
  const asio::ip::address address = asio::ip::make_address(parts->host, error);
  if (error || address.is_v6() != bracketed) {
    return not_an_endpoint(text, "'" + parts->host + "' is not an " + (bracketed ? "IPv6" : "IPv4") + " address");
  }
  const std::optional<std::uint16_t> port = parse_port(parts->port);
  if (!port) return not_an_endpoint(text, "'" + parts->port + "' is not a port (1 to 65535)");
  return Endpoint{address.to_string(), *port};
}

}  // namespace ccr::transport
