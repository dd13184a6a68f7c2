#include "tools/certificate_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <openssl/x509.h>

#include "tools/file_beside.h"
#include "transport/tls_files.h"

namespace ccr::tools {
namespace {

using transport::FileSecrecy;

constexpr mode_t key_mode = 0600;
constexpr mode_t certificate_mode = 0644;

Result<void> create_file(const std::string& path, const std::string& text, mode_t mode) {
  const Result<std::string> beside = write_beside(path, text, mode);
  if (!beside.ok()) return beside.error();
  const bool linked = ::link(beside->c_str(), path.c_str()) == 0;  // unlike rename it does not replace
  const int error = errno;
  ::unlink(beside->c_str());
  if (!linked) return file_error("create", path, error);
  return {};
}

}  // namespace

Result<void> CertificateDirectory::make() const {
  if (::mkdir(path_.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return file_error("make the directory", path_, errno);
}

Error CertificateDirectory::taken(const std::string& path, const std::string& name) const {
  return {ErrorKind::exists, "'" + path + "' is there already; it is not replaced",
          name == "ca" ? "a new authority needs a directory of its own, and new certificates for every node"
                       : "ccr cert renew " + name + " --out " + path_ + " gives it new dates; or move it away"};
}

Result<void> CertificateDirectory::expect_free(const std::string& name) const {
  const std::string key = key_path(name);
  if (::access(key.c_str(), F_OK) == 0) return taken(key, name);
  return expect_no_certificate(name);
}

Result<void> CertificateDirectory::expect_no_certificate(const std::string& name) const {
  const std::string path = certificate_path(name);
  if (::access(path.c_str(), F_OK) == 0) return taken(path, name);
  return {};
}

Result<void> CertificateDirectory::create(const std::string& name, const transport::KeyPair& pair, const std::string& passphrase) const {
  return create_with_key(name, transport::pem_of(*pair.key, passphrase), certificate_path(name), transport::pem_of(*pair.certificate));
}

Result<void> CertificateDirectory::create(const std::string& name, const transport::NodeRequest& request) const {
  return create_with_key(name, transport::pem_of(*request.key), request_path(name), transport::pem_of(*request.request));
}

Result<void> CertificateDirectory::create(const std::string& name, const X509& certificate) const {
  CCR_TRY(create_file(certificate_path(name), transport::pem_of(certificate), certificate_mode));
  return sync_directory(path_);
}

Result<void> CertificateDirectory::create_with_key(const std::string& name, const std::string& key, const std::string& beside,
                                                   const std::string& content) const {
  CCR_TRY(create_file(key_path(name), key, key_mode));
  const Result<void> written = create_file(beside, content, certificate_mode);
  if (!written.ok()) {
    ::unlink(key_path(name).c_str());  // made just now, and of no use alone
    return written.error();
  }
  return sync_directory(path_);
}

Result<void> CertificateDirectory::replace(const std::string& name, const X509& certificate) const {
  const std::string path = certificate_path(name);
  const Result<std::string> beside = write_beside(path, transport::pem_of(certificate), certificate_mode);
  if (!beside.ok()) return beside.error();
  if (::rename(beside->c_str(), path.c_str()) != 0) return file_error("replace", path, errno);
  return sync_directory(path_);
}

Result<transport::CertificateHandle> CertificateDirectory::certificate(const std::string& name) const {
  const std::string path = certificate_path(name);
  const Result<std::string> pem = transport::read_pem_file(path, FileSecrecy::open);
  if (!pem.ok()) return pem.error();
  Result<std::vector<transport::CertificateHandle>> certificates = transport::read_certificates(*pem);
  if (!certificates.ok()) return certificates.error().within("'" + path + "'");
  return std::move(certificates->front());
}

Result<transport::KeyPair> CertificateDirectory::authority(const std::string& passphrase) const {
  transport::KeyPair pair;
  Result<transport::CertificateHandle> found = certificate("ca");
  if (!found.ok()) return found.error();
  const std::string path = key_path("ca");
  const Result<std::string> pem = transport::read_pem_file(path, FileSecrecy::secret);
  if (!pem.ok()) return pem.error();
  const bool encrypted = pem->find("BEGIN ENCRYPTED PRIVATE KEY") != std::string::npos;
  if (encrypted && passphrase.empty())
    return Error{ErrorKind::usage, "'" + path + "' is encrypted", "--passphrase-file FILE, or - for the terminal"};
  Result<transport::KeyHandle> key = transport::read_private_key(*pem, encrypted ? passphrase : "");
  if (!key.ok()) return key.error().within("'" + path + "'");
  pair.certificate = std::move(*found);
  pair.key = std::move(*key);
  if (X509_check_private_key(pair.certificate.get(), pair.key.get()) == 1) return pair;
  (void)transport::take_openssl_reason();
  return Error{ErrorKind::config, "'" + path + "' is not the key of '" + certificate_path("ca") + "'",
               "both come from one `ccr cert ca`"};
}

}  // namespace ccr::tools
