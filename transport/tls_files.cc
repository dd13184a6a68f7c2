#include "transport/tls_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/task.h"
#include "transport/certificate.h"

namespace ccr::transport {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const noexcept { return number_; }

 private:
  int number_;
};

Error unreadable(const std::string& path, int error) {
  const bool absent = error == ENOENT || error == ENOTDIR;
  return {
      ErrorKind::config, "'" + path + "': " + std::strerror(error),
      absent ? "ccr cert ca and ccr cert issue make it; [tls] in the configuration says where it is" : "ccr runs as whom? id -un"};
}

Result<void> check_secrecy(const std::string& path, const struct stat& status) {
  const mode_t allowed = status.st_uid == 0 ? mode_t(0640) : mode_t(0600);
  const mode_t mode = status.st_mode & mode_t(0777);
  if ((mode & ~(allowed | mode_t(0100))) == 0) return {};
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode));
  return Error{ErrorKind::config, "'" + path + "': a private key with mode " + text + " can be read or changed by others",
               "chmod 600 " + path};
}

}  // namespace

Result<std::string> read_pem_file(const std::string& path, FileSecrecy secrecy) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO in its place must not hold us
  if (file.number() < 0) return unreadable(path, errno);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return unreadable(path, errno);
  if (!S_ISREG(status.st_mode)) return Error{ErrorKind::config, "'" + path + "': expected a file", ""};
  if (secrecy == FileSecrecy::secret) CCR_TRY(check_secrecy(path, status));
  std::string text(pem_bytes_max + 1, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t count = ::read(file.number(), text.data() + filled, text.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(path, errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  text.resize(filled);
  if (filled > pem_bytes_max) return Error{ErrorKind::config, "'" + path + "': more than 64 KiB", ""};
  return text;
}

Result<TlsContent> read_tls_files(const TlsFiles& files) {
  TlsContent content;
  const auto read = [](const std::string& path, FileSecrecy secrecy, std::string& out) -> Result<void> {
    Result<std::string> text = read_pem_file(path, secrecy);
    if (!text.ok()) return text.error();
    out = std::move(*text);
    return {};
  };
  CCR_TRY(read(files.ca, FileSecrecy::open, content.ca));
  CCR_TRY(read(files.certificate, FileSecrecy::open, content.certificate));
  CCR_TRY(read(files.key, FileSecrecy::secret, content.key));
  return content;
}

}  // namespace ccr::transport
