// ConfigTable reads one table of the configuration file by key and type; ConfigFaults keeps what was wrong, with its place.
//
// A read of an absent key leaves `out` as it was: it holds the default. A read that fails leaves it too and adds a fault, so the
// reader of the file reads everything and asks once. Lifetime: the parsed document and the faults outlive their tables.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "base/clock.h"
#include "base/result.h"

namespace ccr::engine {

class ConfigFaults {
 public:
  explicit ConfigFaults(std::string file) : file_(std::move(file)) {}

  void add(const toml::source_region& at, const std::string& message, std::string hint = "");
  // A key that is not there counts only when nothing else is wrong: its name may stand in the file mistyped.
  void add_missing(const toml::source_region& at, const std::string& message, std::string hint);
  bool empty() const noexcept { return !first_ && !missing_; }
  Result<void> first() const;  // the fault nearest the top of the file

 private:
  struct Fault {
    toml::source_position at;
    Error error;
  };
  void keep(std::optional<Fault>& kept, const toml::source_region& at, const std::string& message, std::string hint);

  std::string file_;
  std::optional<Fault> first_, missing_;
};

struct SizeRange {
  std::uint64_t low = 0;
  std::uint64_t high = UINT64_MAX;
};
inline constexpr std::uint64_t size_limit = std::uint64_t(1) << 50;  // 1 PiB: above it somebody mistyped
struct DurationRange {
  Duration low, high;
};
struct IntegerRange {
  std::int64_t low, high;
};

class ConfigTable {
 public:
  // `name` is the table's path as the user writes it: "databases.orders"; empty for the root.
  ConfigTable(const toml::table& table, std::string name, ConfigFaults& faults)
      : table_(&table), name_(std::move(name)), faults_(&faults) {}

  void only(const std::vector<std::string>& keys) const;  // any other key is a fault
  bool has(std::string_view key) const { return table_->contains(key); }
  void require(std::string_view key, const std::string& example) const;

  void text(std::string_view key, std::string& out) const;
  bool texts(std::string_view key, std::vector<std::string>& out) const;  // true when it was there and right
  void path(std::string_view key, std::string& out) const;                // absolute, {node} the only placeholder
  void word(std::string_view key, std::string& out, const std::vector<std::string>& words) const;
  void size(std::string_view key, std::uint64_t& out, SizeRange range) const;  // a string, or an integer of bytes
  void rate(std::string_view key, std::uint64_t& out) const;
  void duration(std::string_view key, Duration& out, DurationRange range) const;
  void integer(std::string_view key, int& out, IntegerRange range) const;
  std::optional<ConfigTable> table(std::string_view key) const;

  // Calls `visit` for each entry that is a table with a legal name; others are faults. In the order of names.
  void each_table(const std::function<void(const std::string& name, const ConfigTable& entry)>& visit) const;
  std::vector<std::string> keys() const;

  void fault(std::string_view key, const std::string& message,
             std::string hint = "") const;        // at the value of `key`, or at the table
  std::string label(std::string_view key) const;  // transport.window

 private:
  const toml::node* expect(std::string_view key, toml::node_type type, const char* expected) const;

  const toml::table* table_;
  std::string name_;
  ConfigFaults* faults_;
};

// "letters, digits, - and _", at most name_characters_max of them.
inline constexpr std::size_t name_characters_max = 63;
bool valid_name(std::string_view name) noexcept;

}  // namespace ccr::engine
