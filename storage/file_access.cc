#include "storage/file_access.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <vector>

#include "storage/posix_error.h"

namespace ccr::storage {
namespace {

constexpr std::uint32_t mode_bits = 0777;
constexpr std::size_t names_bytes_max = 65'536;  // of an entry of the user database, members of a group included
constexpr const char* label_attribute = "security.selinux";

std::string name_of_user(uid_t user) {
  std::vector<char> room(names_bytes_max);
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, room.data(), room.size(), &found) == 0 && found != nullptr) return found->pw_name;
  return std::to_string(user);
}

std::string name_of_group(gid_t group) {
  std::vector<char> room(names_bytes_max);
  struct group entry {};
  struct group* found = nullptr;
  if (::getgrgid_r(group, &entry, room.data(), room.size(), &found) == 0 && found != nullptr) return found->gr_name;
  return std::to_string(group);
}

std::optional<std::uint32_t> number_of(const std::string& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

Result<uid_t> user_named(const std::string& name) {
  std::vector<char> room(names_bytes_max);
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, room.data(), room.size(), &found) == 0 && found != nullptr) return found->pw_uid;
  if (const std::optional<std::uint32_t> number = number_of(name)) return uid_t{*number};
  return Error{ErrorKind::not_found, "this host has no user '" + name + "'", ""};
}

Result<gid_t> group_named(const std::string& name) {
  std::vector<char> room(names_bytes_max);
  struct group entry {};
  struct group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found) == 0 && found != nullptr) return found->gr_gid;
  if (const std::optional<std::uint32_t> number = number_of(name)) return gid_t{*number};
  return Error{ErrorKind::not_found, "this host has no group '" + name + "'", ""};
}

// Where the file system, or the kernel, keeps none: empty.
std::string label_of(const std::string& path) {
  std::array<char, FileAccess::label_bytes_max + 1> room{};
  const ssize_t got = ::lgetxattr(path.c_str(), label_attribute, room.data(), room.size());
  if (got <= 0) return "";
  std::string label(room.data(), static_cast<std::size_t>(got));
  while (!label.empty() && label.back() == '\0') label.pop_back();
  return label.size() <= FileAccess::label_bytes_max ? label : "";
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return number_; }

 private:
  int number_;
};

}  // namespace

std::string FileAccess::text() const {
  std::string bits;
  for (int shift = 9; shift >= 0; shift -= 3) bits += static_cast<char>('0' + ((mode >> shift) & 7));
  return owner + ":" + group + " " + bits + (label.empty() ? "" : " " + label);
}

Result<FileAccess> access_of_path(const std::string& path) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) return posix_error("stat " + path, errno);
  return FileAccess{name_of_user(facts.st_uid), name_of_group(facts.st_gid), facts.st_mode & mode_bits, label_of(path)};
}

// Its owner last but for the mode: who gave a file away may not change it any more, and a new owner clears bits of the mode.
Result<void> give_access_to_path(const std::string& path, const FileAccess& access) {
  const Result<FileAccess> now = access_of_path(path);
  if (!now.ok()) return now.error();
  if (*now == access) return {};
  const Result<uid_t> user = user_named(access.owner);
  if (!user.ok()) return user.error();
  const Result<gid_t> group = group_named(access.group);
  if (!group.ok()) return group.error();
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return posix_error("open " + path, errno);
  if (!access.label.empty() && access.label != now->label && ::fsetxattr(file.get(), label_attribute, access.label.c_str(), access.label.size() + 1, 0) != 0)
    return posix_error("label " + path, errno);
  if ((now->owner != access.owner || now->group != access.group) && ::fchown(file.get(), *user, *group) != 0) return posix_error("chown " + path, errno);
  if (::fchmod(file.get(), access.mode & mode_bits) != 0) return posix_error("chmod " + path, errno);
  if (::fsync(file.get()) != 0) return posix_error("sync " + path, errno);
  return {};
}

}  // namespace ccr::storage
