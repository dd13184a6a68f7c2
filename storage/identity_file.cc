#include "storage/identity_file.h"

#include <algorithm>
#include <array>
#include <optional>

#include "storage/file_replacement.h"

namespace ccr::storage {
namespace {

constexpr std::string_view first_line = "# Whose directory this is. Written by ccr; not to be edited or copied.\n";
constexpr std::string_view format_version = "1";
constexpr std::string_view checksum_key = "checksum";

struct Field {
  const char* key;
  std::string Identity::*value;
};
constexpr std::array<Field, 5> fields{{
    {"cluster", &Identity::cluster},
    {"node", &Identity::node},
    {"database", &Identity::database},
    {"purpose", &Identity::purpose},
    {"kind", &Identity::kind},
}};

std::string line(std::string_view key, std::string_view value) { return std::string(key).append(" = ").append(value).append("\n"); }

std::string checksum_of(std::string_view text) { return to_hex(digest64(as_bytes(text)), 16); }

bool readable(std::string_view value) {
  const auto printable = [](unsigned char c) { return c >= 0x20 && c != 0x7f; };
  return value.size() <= identity_value_bytes_max && std::all_of(value.begin(), value.end(), printable);
}

// Takes `key = value` off the front of `text`.
std::optional<std::string_view> take(std::string_view& text, std::string_view key) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(key)) return std::nullopt;
  const std::string_view found = text.substr(key.size(), end - key.size());
  if (!found.starts_with(" = ")) return std::nullopt;
  text.remove_prefix(end + 1);
  return found.substr(3);
}

std::optional<Signature> signature_of(std::string_view hex) {
  Signature signature;
  if (hex.size() != 2 * signature.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const std::size_t digit = std::string_view("0123456789abcdef").find(hex[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    signature.bytes[i / 2] = static_cast<std::byte>(std::to_integer<unsigned>(signature.bytes[i / 2]) << 4 | digit);
  }
  return signature;
}

Error damaged(const std::string& why) { return {ErrorKind::identity, "identity file: " + why, ""}; }

Error other(const std::string& directory, const std::string& key, const std::string& expected, const std::string& found) {
  return {ErrorKind::identity, directory + " is of another owner: " + key + " is '" + found + "', expected '" + expected + "'",
          "check the paths in the configuration and what is mounted there; nothing was written"};
}

}  // namespace

Result<std::string> encode_identity(const Identity& identity) {
  std::string text(first_line);
  text += line("format", format_version);
  for (const Field& field : fields) {
    const std::string& value = identity.*field.value;
    if (!readable(value))
      return Error{ErrorKind::refused, std::string("identity file: ") + field.key + " cannot be written as one line", ""};
    text += line(field.key, value);
  }
  text += line("signature", identity.signature.text());
  text += line(checksum_key, checksum_of(text));
  CCR_ASSERT(text.size() <= identity_bytes_max);
  return text;
}

Result<Identity> decode_identity(std::string_view text) {
  std::string_view rest = text;
  if (text.size() > identity_bytes_max || !rest.starts_with(first_line)) return damaged("it does not begin as one");
  rest.remove_prefix(first_line.size());
  const std::optional<std::string_view> format = take(rest, "format");
  if (!format) return damaged("no format");
  const std::size_t last_line = text.rfind(checksum_key);
  if (last_line == std::string_view::npos || text.substr(last_line) != line(checksum_key, checksum_of(text.substr(0, last_line)))) {
    return damaged("checksum fails");
  }
  if (*format != format_version) {
    return Error{ErrorKind::unsupported,
                 "identity file: format " + std::string(*format) + ", this build serves " + std::string(format_version), ""};
  }
  Identity identity;
  for (const Field& field : fields) {
    const std::optional<std::string_view> value = take(rest, field.key);
    if (!value) return damaged(std::string("no ") + field.key);
    identity.*field.value = *value;
  }
  const std::optional<std::string_view> signature_text = take(rest, "signature");
  const std::optional<Signature> signature = signature_of(signature_text.value_or(""));
  if (!signature) return damaged("no signature");
  identity.signature = *signature;
  const Result<std::string> canonical = encode_identity(identity);
  if (!canonical.ok() || *canonical != text) return damaged("more in it than belongs there");
  return identity;
}

Task<Result<Identity>> read_identity(Disk& disk, std::string directory) {
  const std::string path = directory + "/" + identity_name;
  Result<std::unique_ptr<File>> file = co_await disk.open(path, OpenMode::read);
  if (!file.ok()) co_return file.error();
  Bytes bytes(identity_bytes_max + 1);
  const Result<std::size_t> got = co_await (*file)->read_at(0, bytes);
  if (!got.ok()) co_return got.error();
  bytes.resize(*got);
  const std::string text = to_text(bytes);
  Result<Identity> identity = decode_identity(text);
  if (!identity.ok()) co_return identity.error().within(path);
  co_return identity;
}

Task<Result<void>> write_identity(Disk& disk, std::string directory, Identity identity) {
  const std::string path = directory + "/" + identity_name;
  const Result<std::string> text = encode_identity(identity);
  if (!text.ok()) co_return text.error().within(path);
  const ByteView view = as_bytes(*text);
  Bytes bytes(view.begin(), view.end());
  co_return co_await replace_file(disk, path, std::move(bytes));
}

Result<void> check_identity(const Identity& expected, const Identity& found, const std::string& directory) {
  for (const Field& field : fields) {
    const std::string& wanted = expected.*field.value;
    const std::string& there = found.*field.value;
    if (wanted != there) return other(directory, field.key, wanted, there);
  }
  const bool comparable = expected.signature.known() && found.signature.known();
  if (comparable && expected.signature != found.signature) {
    return other(directory, "signature", expected.signature.text(), found.signature.text());
  }
  return Result<void>();
}

}  // namespace ccr::storage
