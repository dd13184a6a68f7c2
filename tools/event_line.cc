#include "tools/event_line.h"

#include "tools/text_table.h"

namespace ccr::tools {
namespace {

std::string value_text(const std::string& value) {
  const std::string safe = escaped(value);
  if (!safe.empty() && safe.find_first_of(" \"=") == std::string::npos) return safe;
  std::string quoted = "\"";
  for (const char c : safe) {
    if (c == '"') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

std::string event_line(const Event& event, WallTime at) {
  std::string line = to_rfc3339(at) + " " + (event.subject.empty() ? "-" : escaped(event.subject)) + " " + escaped(event.name);
  for (const auto& [key, value] : event.fields) line += " " + escaped(key) + "=" + value_text(value);
  return line;
}

}  // namespace ccr::tools
