// CertificateDirectory is the DIR of `ccr cert`: ca.pem, ca.key, and NODE.pem, NODE.key of each node, NODE.csr of one that asks.
//
// A file appears whole and synced, or not at all. create() never replaces a file; replace() does, in one step. Keys have mode 0600,
// certificates 0644, a directory that is made here 0700. Errors: exists, and what the disk says as io, no_space or read_only.
#pragma once

#include <string>

#include "base/result.h"
#include "transport/certificate_issuer.h"

namespace ccr::tools {

class CertificateDirectory {
 public:
  explicit CertificateDirectory(std::string path) : path_(std::move(path)) {}

  std::string certificate_path(const std::string& name) const { return path_ + "/" + name + ".pem"; }
  std::string key_path(const std::string& name) const { return path_ + "/" + name + ".key"; }
  std::string request_path(const std::string& name) const { return path_ + "/" + name + ".csr"; }

  Result<void> make() const;                                // its parent must be there; fine when it is there itself
  Result<void> expect_free(const std::string& name) const;  // neither certificate nor key of that name
  Result<void> expect_no_certificate(const std::string& name) const;
  // The key first, encrypted where there is a passphrase.
  Result<void> create(const std::string& name, const transport::KeyPair& pair, const std::string& passphrase = "") const;
  Result<void> create(const std::string& name, const X509& certificate) const;  // of a key that is elsewhere
  Result<void> create(const std::string& name, const transport::NodeRequest& request) const;  // the key first
  Result<void> replace(const std::string& name, const X509& certificate) const;
  Result<transport::KeyPair> authority(const std::string& passphrase) const;  // ca.pem and ca.key, which fit each other
  Result<transport::CertificateHandle> certificate(const std::string& name) const;

 private:
  Error taken(const std::string& path, const std::string& name) const;
  Result<void> create_with_key(const std::string& name, const std::string& key, const std::string& beside, const std::string& content) const;

  std::string path_;
};

}  // namespace ccr::tools
