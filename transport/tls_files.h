// The three files of [tls], read once each and held against each other.
//
// read_tls_files() answers with their content, or with config: which file, what is wrong, what helps. A key that others may read is
// refused: mode 0600, or 0640 where root owns it (a service manager hands keys out that way). Links are followed.
#pragma once

#include <string>

#include "base/result.h"

namespace ccr::transport {

struct TlsFiles {
  std::string ca, certificate, key;  // absolute paths
};

struct TlsContent {
  std::string ca, certificate, key;  // PEM
};

Result<TlsContent> read_tls_files(const TlsFiles& files);

// One file of at most pem_bytes_max. `secret`: the rule for keys.
enum class FileSecrecy { open, secret };
Result<std::string> read_pem_file(const std::string& path, FileSecrecy secrecy);

}  // namespace ccr::transport
