#include "tools/config_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

#include "tools/file_beside.h"

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
  if (node.empty() || found->second.has_copy(node)) return {};
  const std::optional<std::string> near = engine::did_you_mean(node, copies);
  return Error{ErrorKind::not_found, "database " + database + " has no copy on '" + node + "'",
               near ? "did you mean " + database + "@" + *near + "?" : ""};
}

namespace {

Error not_replaced(const std::string& cause) { return {ErrorKind::io, cause, "the configuration is as it was; may this user write it?"}; }

}  // namespace

Result<void> replace_config(const std::string& file, const std::string& before, const std::string& after) {
  std::error_code failed;
  const std::filesystem::path path = std::filesystem::canonical(file, failed);
  if (failed) return not_replaced(file_error("find", file, failed.value()).message);
  struct stat facts = {};
  if (::stat(path.c_str(), &facts) != 0) return not_replaced(file_error("look at", path.string(), errno).message);
  const Result<std::string> beside = write_beside(path.string(), after, facts.st_mode & 07777, FileOwner{facts.st_uid, facts.st_gid});
  if (!beside.ok()) return not_replaced(beside.error().message);
  const Result<std::string> now = read_config_text(path.string());
  const bool changed = now.ok() && *now != before;
  const bool replaced = now.ok() && !changed && ::rename(beside->c_str(), path.c_str()) == 0;
  const int error = errno;
  if (!replaced) ::unlink(beside->c_str());
  if (changed) return Error{ErrorKind::refused, "somebody else changed '" + path.string() + "' meanwhile", "try again"};
  if (!now.ok()) return not_replaced(now.error().message);
  if (!replaced) return not_replaced(file_error("write", *beside, error).message);
  const Result<void> synced = sync_directory(path.parent_path().string());
  if (synced.ok()) return {};
  return Error{ErrorKind::io, synced.error().message, "the configuration is replaced, and may be the old one again after a power cut"};
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  const std::string host(name.data());
  return host.substr(0, host.find('.'));
}

}  // namespace ccr::tools
