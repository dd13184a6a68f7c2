// The one place where an errno becomes an Error. Text: "<what> <path>: No space left on device (ENOSPC)".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace ccr::storage {

// errno as the kinds the engine decides upon. What has no kind of its own is io.
ErrorKind kind_of_errno(int number) noexcept;

// what: the verb and its object, "open /x/y" or "rename /x/a to /x/b".
Error posix_error(std::string_view what, int number);

}  // namespace ccr::storage
