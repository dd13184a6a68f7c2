// An identity file in each of our directories says whose it is, so that a wrong, swapped or empty directory is refused before a byte is
// written (FAULTS rows 31, 34).
#pragma once

#include <string>

#include "base/digest.h"
#include "storage/disk.h"

namespace ccr::storage {

struct Identity {
  std::string cluster, node, database, purpose;  // purpose: "log", "state"
  std::string kind;                               // "sqlite", "pages"
  Signature signature;                            // zeros until the log's signature is known
  bool operator==(const Identity&) const = default;
};

inline constexpr const char* identity_name = "ccr-identity";

// not_found: no identity file. identity: one that does not decode.
Task<Result<Identity>> read_identity(Disk& disk, std::string directory);
Task<Result<void>> write_identity(Disk& disk, std::string directory, Identity identity);  // durable at completion

// Pure. ok, or ErrorKind::identity naming the first field that differs. Signatures are compared when both are known.
Result<void> check_identity(const Identity& expected, const Identity& found, const std::string& directory);

}  // namespace ccr::storage
