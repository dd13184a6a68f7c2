#include "tools/host_network.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

namespace ccr::tools {
namespace {

class Sysctls {
 public:
  explicit Sysctls(std::string root) : root_(std::move(root)) {}

  // The line of a file with one blank between its words; the first failure is kept.
  std::string line(const std::string& name) {
    const std::string path = root_ + "/" + name;
    std::ifstream in(path);
    std::string line;
    if (!std::getline(in, line)) {
      fail(Error{ErrorKind::io, path + ": " + std::strerror(errno), ""});
      return "";
    }
    std::istringstream words(line);
    std::string text;
    for (std::string word; words >> word;) text += (text.empty() ? "" : " ") + word;
    return text;
  }

  std::uint64_t number(const std::string& name) { return number_in(name, line(name), 0); }

  // Of a line that was read from `name`.
  std::uint64_t number_in(const std::string& name, const std::string& line, std::size_t index) {
    std::istringstream words(line);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i <= index; ++i) {
      if (words >> value) continue;
      fail(Error{ErrorKind::unsupported, root_ + "/" + name + ": expected at least " + std::to_string(index + 1) + " numbers", ""});
      return 0;
    }
    return value;
  }

  // 0 where the kernel does not show it: a network namespace may lack what belongs to the whole host.
  std::uint64_t number_if_there(const std::string& name) {
    std::ifstream in(root_ + "/" + name);
    std::uint64_t value = 0;
    in >> value;
    return value;
  }

  const std::optional<Error>& error() const { return error_; }

 private:
  void fail(Error error) {
    if (!error_) error_ = std::move(error);
  }

  std::string root_;
  std::optional<Error> error_;
};

}  // namespace

Result<HostNetwork> read_host_network(const std::string& root) {
  constexpr std::size_t most = 2;  // third word
  Sysctls sysctls(root);
  HostNetwork host;
  host.limits.scaling = sysctls.number("ipv4/tcp_window_scaling") != 0;
  host.limits.timestamps = sysctls.number("ipv4/tcp_timestamps") != 0;
  host.receive_words = sysctls.line("ipv4/tcp_rmem");
  host.send_words = sysctls.line("ipv4/tcp_wmem");
  host.limits.receive_auto_max = sysctls.number_in("ipv4/tcp_rmem", host.receive_words, most);
  host.limits.send_auto_max = sysctls.number_in("ipv4/tcp_wmem", host.send_words, most);
  host.limits.receive_asked_max = sysctls.number_if_there("core/rmem_max");
  host.limits.send_asked_max = sysctls.number_if_there("core/wmem_max");
  host.congestion = sysctls.line("ipv4/tcp_congestion_control");
  host.congestion_available = sysctls.line("ipv4/tcp_available_congestion_control");
  host.neighbour_reachable_ms = sysctls.number_if_there("ipv4/neigh/default/base_reachable_time_ms");
  if (sysctls.error()) return *sysctls.error();
  return host;
}

}  // namespace ccr::tools
