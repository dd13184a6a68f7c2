#include "tools/config_changes.h"

#include <map>
#include <set>
#include <sstream>

namespace ccr::tools {
namespace {

// What show_config prints, taken apart again: every value under its full name.
using Values = std::map<std::string, std::string>;

struct Shown {
  Values values;
  std::set<std::string> tables;
  std::vector<std::string> order;  // of the full names
};

std::string join(const std::string& table, const std::string& key) { return table.empty() ? key : table + "." + key; }

Shown take_apart(const engine::Config& config) {
  Shown shown;
  std::string table;
  std::istringstream lines(show_config(config));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("[")) {
      table = line.substr(1, line.find(']') - 1);
      shown.tables.insert(table);
    }
    const std::size_t equals = line.find(" = ");
    if (line.starts_with("[") || equals == std::string::npos) continue;
    const std::string name = join(table, line.substr(0, equals));
    shown.values[name] = line.substr(equals + 3);
    shown.order.push_back(name);
  }
  return shown;
}

std::string table_of(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

}  // namespace

std::vector<std::string> config_changes(const engine::Config& before, const engine::Config& after) {
  const Shown old_shown = take_apart(before), new_shown = take_apart(after);
  std::vector<std::string> changes;
  std::set<std::string> seen;
  const auto compare = [&](const Shown& from, const Shown& to) {
    for (const std::string& name : from.order) {
      const auto other = to.values.find(name);
      if (other != to.values.end() && other->second == from.values.at(name)) continue;
      const std::string table = table_of(name);
      const std::string change = table.empty() || to.tables.contains(table) ? name : table;
      if (seen.insert(change).second) changes.push_back(change);
    }
  };
  compare(old_shown, new_shown);
  compare(new_shown, old_shown);
  return changes;
}

}  // namespace ccr::tools
