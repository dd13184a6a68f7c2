#include "engine/config_keys.h"

#include <algorithm>

namespace ccr::engine {
namespace {

bool ends_line(char c) noexcept { return c == '\n' || c == '\r' || c == '\v' || c == '\f'; }

std::size_t end_of_line(std::string_view text, std::size_t at) noexcept {
  while (at < text.size() && !ends_line(text[at])) ++at;
  return at;
}

// Behind the string that begins at `at`; one of a single line ends with its line at the latest.
std::size_t end_of_string(std::string_view text, std::size_t at) noexcept {
  const char quote = text[at];
  const std::string_view opening = text.substr(at, 3);
  const bool lines = opening.size() == 3 && std::count(opening.begin(), opening.end(), quote) == 3;
  for (at += lines ? 3 : 1; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\' && at + 1 < text.size() && (lines || !ends_line(text[at + 1]))) {
      ++at;
    } else if (!lines && (text[at] == quote || ends_line(text[at]))) {
      return text[at] == quote ? at + 1 : at;
    } else if (lines && text.substr(at).starts_with(opening)) {
      at += 3;
      for (int more = 0; more < 2 && at < text.size() && text[at] == quote; ++more) ++at;  // quotes that are its last content
      return at;
    }
  }
  return text.size();
}

}  // namespace

std::optional<std::size_t> find_deep_key(std::string_view text) noexcept {
  std::size_t dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = end_of_string(text, at);
      continue;
    }
    if (c == '#') {
      at = end_of_line(text, at);
      continue;
    }
    const bool between_keys = ends_line(c) || c == '=' || c == ',' || c == '{' || c == '[';
    dots = between_keys ? 0 : dots + (c == '.' ? 1 : 0);
    if (dots >= key_parts_max) return 1 + static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    ++at;
  }
  return std::nullopt;
}

}  // namespace ccr::engine
