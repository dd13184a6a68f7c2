#include "engine/config_table.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/config.h"

namespace ccr::engine {
namespace {

const char* found_name(toml::node_type type) noexcept {
  switch (type) {
    case toml::node_type::none:
      return "nothing";
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a floating point number";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time";
    case toml::node_type::date_time:
      return "a date and time";
  }
  return "something else";
}

bool before(const toml::source_position& a, const toml::source_position& b) noexcept {
  return a.line != b.line ? a.line < b.line : a.column < b.column;
}

std::string quoted_list(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : ", ") + word;
  return list;
}

std::string nearest_hint(const std::string& word, const std::vector<std::string>& known) {
  const std::optional<std::string> nearest = did_you_mean(word, known);
  return nearest ? fmt::format("did you mean '{}'?", *nearest) : "known here: " + quoted_list(known);
}

}  // namespace

void ConfigFaults::keep(std::optional<Fault>& kept, const toml::source_region& at, const std::string& message, std::string hint) {
  if (kept && !before(at.begin, kept->at)) return;
  const std::string placed = fmt::format("{}:{}:{}: {}", file_, at.begin.line, at.begin.column, message);
  kept = Fault{at.begin, Error{ErrorKind::config, placed, std::move(hint)}};
}

void ConfigFaults::add(const toml::source_region& at, const std::string& message, std::string hint) {
  keep(first_, at, message, std::move(hint));
}

void ConfigFaults::add_missing(const toml::source_region& at, const std::string& message, std::string hint) {
  keep(missing_, at, message, std::move(hint));
}

Result<void> ConfigFaults::first() const {
  if (first_) return first_->error;
  if (missing_) return missing_->error;
  return {};
}

bool valid_name(std::string_view name) noexcept {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= name_characters_max && std::all_of(name.begin(), name.end(), allowed);
}

std::string ConfigTable::label(std::string_view key) const {
  return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
}

void ConfigTable::fault(std::string_view key, const std::string& message, std::string hint) const {
  const toml::node* node = table_->get(key);
  faults_->add(node != nullptr ? node->source() : table_->source(), message, std::move(hint));
}

void ConfigTable::only(const std::vector<std::string>& keys) const {
  for (const auto& [key, value] : *table_) {
    const std::string word(key.str());
    if (std::find(keys.begin(), keys.end(), word) != keys.end()) continue;
    const std::string place = name_.empty() ? "at the top of the file" : "in [" + name_ + "]";
    faults_->add(key.source(), fmt::format("unknown key '{}' {}", word, place), nearest_hint(word, keys));
  }
}

void ConfigTable::require(std::string_view key, const std::string& example) const {
  if (!has(key)) faults_->add_missing(table_->source(), label(key) + " is missing", "such as " + example);
}

const toml::node* ConfigTable::expect(std::string_view key, toml::node_type type, const char* expected) const {
  const toml::node* node = table_->get(key);
  if (node == nullptr || node->type() == type) return node;
  fault(key, fmt::format("{}: expected {}, found {}", label(key), expected, found_name(node->type())));
  return nullptr;
}

void ConfigTable::text(std::string_view key, std::string& out) const {
  const toml::node* node = expect(key, toml::node_type::string, "a string");
  if (node != nullptr) out = node->as_string()->get();
}

bool ConfigTable::texts(std::string_view key, std::vector<std::string>& out) const {
  const toml::node* node = expect(key, toml::node_type::array, "an array of strings");
  if (node == nullptr) return false;
  std::vector<std::string> found;
  for (const toml::node& item : *node->as_array()) {
    if (!item.is_string()) {
      const char* type = found_name(item.type());
      faults_->add(item.source(), fmt::format("{}: expected an array of strings, found {} in it", label(key), type));
      return false;
    }
    found.push_back(item.as_string()->get());
  }
  out = std::move(found);
  return true;
}

void ConfigTable::path(std::string_view key, std::string& out) const {
  std::string found;
  text(key, found);
  if (found.empty()) {
    const toml::node* node = table_->get(key);
    if (node != nullptr && node->is_string()) fault(key, label(key) + ": expected an absolute path, found ''");
    return;
  }
  if (found.front() != '/') {
    fault(key, fmt::format("{}: expected an absolute path, found '{}'", label(key), found));
    return;
  }
  // The system would take what stands before it, and that may be another's place.
  if (found.find('\0') != std::string::npos) {
    fault(key, label(key) + ": a path has no zero byte");
    return;
  }
  for (std::size_t at = found.find_first_of("{}"); at != std::string::npos; at = found.find_first_of("{}", at)) {
    if (found.compare(at, 6, "{node}") != 0) {
      fault(key, fmt::format("{}: expected no placeholder but {{node}}, found '{}'", label(key), found));
      return;
    }
    at += 6;
  }
  out = found;
}

void ConfigTable::word(std::string_view key, std::string& out, const std::vector<std::string>& words) const {
  std::string found = out;
  text(key, found);
  if (!has(key) || !table_->get(key)->is_string()) return;
  if (std::find(words.begin(), words.end(), found) != words.end()) {
    out = found;
    return;
  }
  const std::optional<std::string> nearest = did_you_mean(found, words);
  fault(key, fmt::format("{}: expected one of {}, found '{}'", label(key), quoted_list(words), found),
        nearest ? fmt::format("did you mean '{}'?", *nearest) : "");
}

void ConfigTable::size(std::string_view key, std::uint64_t& out, SizeRange range) const {
  const toml::node* node = table_->get(key);
  if (node == nullptr) return;
  std::string found;
  if (const auto* number = node->as_integer()) {
    found = std::to_string(number->get());
  } else {
    if (expect(key, toml::node_type::string, "a size such as \"80MiB\"") == nullptr) return;
    text(key, found);
  }
  const Result<std::uint64_t> bytes = parse_size(found);
  if (!bytes) return fault(key, label(key) + ": " + bytes.error().message);
  if (*bytes < range.low || *bytes > range.high) {
    return fault(key, fmt::format("{}: expected {} to {} bytes, found {}", label(key), range.low, range.high, *bytes));
  }
  out = *bytes;
}

void ConfigTable::rate(std::string_view key, std::uint64_t& out) const {
  if (!has(key) || expect(key, toml::node_type::string, "a rate such as \"80MB/s\"") == nullptr) return;
  std::string found;
  text(key, found);
  const Result<std::uint64_t> rate = parse_rate(found);
  if (!rate) return fault(key, label(key) + ": " + rate.error().message, rate.error().hint);
  out = *rate;
}

void ConfigTable::duration(std::string_view key, Duration& out, DurationRange range) const {
  if (!has(key) || expect(key, toml::node_type::string, "a duration such as \"1.2s\"") == nullptr) return;
  std::string found;
  text(key, found);
  const Result<Duration> duration = parse_duration(found);
  if (!duration) return fault(key, label(key) + ": " + duration.error().message);
  if (*duration < range.low || *duration > range.high) {
    const auto seconds = [](Duration value) { return std::chrono::duration<double>(value).count(); };
    return fault(key,
                 fmt::format("{}: expected {}s to {}s, found '{}'", label(key), seconds(range.low), seconds(range.high), found));
  }
  out = *duration;
}

void ConfigTable::integer(std::string_view key, int& out, IntegerRange range) const {
  const toml::node* node = expect(key, toml::node_type::integer, "an integer");
  if (node == nullptr) return;
  const std::int64_t found = node->as_integer()->get();
  if (found < range.low || found > range.high) {
    return fault(key, fmt::format("{}: expected {} to {}, found {}", label(key), range.low, range.high, found));
  }
  out = static_cast<int>(found);
}

std::optional<ConfigTable> ConfigTable::table(std::string_view key) const {
  const toml::node* node = expect(key, toml::node_type::table, "a table");
  if (node == nullptr) return std::nullopt;
  return ConfigTable(*node->as_table(), label(key), *faults_);
}

void ConfigTable::each_table(const std::function<void(const std::string& name, const ConfigTable& entry)>& visit) const {
  for (const auto& [key, value] : *table_) {
    const std::string name(key.str());
    if (!valid_name(name)) {
      faults_->add(key.source(), fmt::format("{}: expected a name of letters, digits, - and _, at most {} of them, found '{}'",
                                             name_, name_characters_max, name));
      continue;
    }
    const std::optional<ConfigTable> entry = table(name);
    if (entry) visit(name, *entry);
  }
}

std::vector<std::string> ConfigTable::keys() const {
  std::vector<std::string> found;
  for (const auto& [key, value] : *table_) found.emplace_back(key.str());
  return found;
}

}  // namespace ccr::engine
