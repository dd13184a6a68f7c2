#include "tools/config_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

namespace ccr::tools {

Result<std::string> read_config_text(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return Error{ErrorKind::config, "configuration '" + file + "': " + std::strerror(errno),
                 "name it with --config FILE or CCR_CONFIG"};
  }
  std::string text(config_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad())
    return Error{ErrorKind::config, "configuration '" + file + "': cannot be read", "name it with --config FILE or CCR_CONFIG"};
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > config_bytes_max) return Error{ErrorKind::config, "configuration '" + file + "': expected at most 1 MiB", ""};
  return text;
}

Result<engine::Config> load_config(const std::string& file, const std::string& node) {
  const Result<std::string> text = read_config_text(file);
  CCR_TRY(text);
  return engine::parse_config(*text, file, node.empty() ? host_name() : node);
}

Result<void> find_copy(const engine::Config& config, const std::string& database, const std::string& node) {
  if (database.empty()) return {};
  const auto found = config.databases.find(database);
  if (found == config.databases.end()) {
    std::vector<std::string> names;
    for (const auto& [name, entry] : config.databases) names.push_back(name);
    const std::optional<std::string> near = engine::did_you_mean(database, names);
    return Error{ErrorKind::not_found, "no database '" + database + "'", near ? "did you mean '" + *near + "'?" : ""};
  }
  const std::vector<std::string>& copies = found->second.copies;
  if (node.empty() || std::find(copies.begin(), copies.end(), node) != copies.end()) return {};
  const std::optional<std::string> near = engine::did_you_mean(node, copies);
  return Error{ErrorKind::not_found, "database " + database + " has no copy on '" + node + "'",
               near ? "did you mean " + database + "@" + *near + "?" : ""};
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  const std::string host(name.data());
  return host.substr(0, host.find('.'));
}

}  // namespace ccr::tools
