// FileAccess says who may use a file, by names, so that it means the same on another host; and the system calls behind it, blocking.
//
// Where a host has no name for a number, the number stands for it. A label is a security context (SELinux's, as the kernel keeps it).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace ccr::storage {

struct FileAccess {
  static constexpr std::size_t label_bytes_max = 255, name_bytes_max = 255;
  std::string owner, group;
  std::uint32_t mode = 0;  // permission bits, 0777 of them
  std::string label;       // empty: none
  std::string text() const;  // "app:app 0640"
  bool known() const noexcept { return !owner.empty(); }
  bool operator==(const FileAccess&) const = default;
};

Result<FileAccess> access_of_path(const std::string& path);  // a symbolic link is not followed
// Only what differs is changed; durable at completion. refused: this process may not; not_found: a name that this host does not know.
Result<void> give_access_to_path(const std::string& path, const FileAccess& access);

}  // namespace ccr::storage
