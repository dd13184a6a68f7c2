// A file that a command writes as a whole: first beside its place, synced, then the caller gives it its name, and syncs the directory.
//
// Errors: no_space, read_only (the user may not, or nobody may), exists, io; what was begun is gone then. Blocking.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"

namespace ccr::tools {

struct FileOwner {
  uid_t user;
  gid_t group;
};

// A whole and synced file beside `path`, under the name that is answered; of `owner`, or of whoever writes.
Result<std::string> write_beside(const std::string& path, const std::string& text, mode_t mode, std::optional<FileOwner> owner = {});
Result<void> sync_directory(const std::string& path);
Error file_error(const std::string& what, const std::string& path, int error);  // of an errno

}  // namespace ccr::tools
