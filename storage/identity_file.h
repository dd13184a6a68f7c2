// An identity file in each of our directories says whose it is, so that a wrong, swapped or empty directory is refused before a
// byte is written (FAULTS rows 31, 34).
//
// The file is text for a person with a pager: `key = value` lines in a fixed order, the last one a checksum of everything before
// it. Only the bytes that encode_identity() would write are accepted: any other byte is damage or an editor.
#pragma once

#include <string>
#include <string_view>

#include "base/digest.h"
#include "storage/disk.h"

namespace ccr::storage {

struct Identity {
  std::string cluster, node, database, purpose;  // purpose: "log", "state"
  std::string kind;                              // "sqlite", "pages"
  Signature signature;                           // zeros until the log's signature is known
  bool operator==(const Identity&) const = default;
};

inline constexpr const char* identity_name = "ccr-identity";
inline constexpr std::size_t identity_value_bytes_max = 255;  // of one value; printable characters only
inline constexpr std::size_t identity_bytes_max = 4 * KiB;

// not_found: no identity file. identity: one that does not decode. unsupported: of a newer format.
Task<Result<Identity>> read_identity(Disk& disk, std::string directory);
// Durable at completion; after a crash in it the old file or the new one is there. refused: a value that could not be read back.
Task<Result<void>> write_identity(Disk& disk, std::string directory, Identity identity);

// Pure. ok, or ErrorKind::identity naming the first field that differs. Signatures are compared when both are known.
Result<void> check_identity(const Identity& expected, const Identity& found, const std::string& directory);

Result<std::string> encode_identity(const Identity& identity);
Result<Identity> decode_identity(std::string_view text);

}  // namespace ccr::storage
