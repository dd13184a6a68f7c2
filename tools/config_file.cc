#include "tools/config_file.h"

#include <fcntl.h>
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

namespace {

Error not_replaced(const std::string& what, const std::string& path, int error) {
  return {ErrorKind::io, what + " '" + path + "': " + std::strerror(error), "the configuration is as it was; may this user write it?"};
}

bool write_whole(int file, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(file, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

Result<void> sync_directory_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const int directory = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = directory >= 0 && ::fsync(directory) == 0;
  const int error = errno;
  if (directory >= 0) ::close(directory);
  if (!synced) return Error{ErrorKind::io, "sync '" + parent + "': " + std::strerror(error), "the configuration is replaced, and may be the old one again after a power cut"};
  return {};
}

}  // namespace

Result<void> replace_config(const std::string& file, const std::string& before, const std::string& after) {
  std::error_code failed;
  const std::string path = std::filesystem::canonical(file, failed).string();
  if (failed) return not_replaced("find", file, failed.value());
  struct stat facts = {};
  if (::stat(path.c_str(), &facts) != 0) return not_replaced("look at", path, errno);
  const std::string beside = path + ".new";
  ::unlink(beside.c_str());  // of a run that was cut off
  const int out = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (out < 0) return not_replaced("create", beside, errno);
  const bool written = write_whole(out, after) && ::fchown(out, facts.st_uid, facts.st_gid) == 0 && ::fchmod(out, facts.st_mode & 07777) == 0 && ::fsync(out) == 0;
  int error = errno;
  ::close(out);
  const Result<std::string> now = read_config_text(path);
  const bool changed = !now.ok() || *now != before;
  const bool replaced = written && !changed && ::rename(beside.c_str(), path.c_str()) == 0;
  if (written) error = errno;
  if (replaced) return sync_directory_of(path);
  ::unlink(beside.c_str());
  if (written && changed) return Error{ErrorKind::refused, "somebody else changed '" + path + "' meanwhile", "try again"};
  return not_replaced("write", beside, error);
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  const std::string host(name.data());
  return host.substr(0, host.find('.'));
}

}  // namespace ccr::tools
