// Words and numbers as people write them: sizes, rates, durations, and the nearest word to a mistyped one.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

#include "engine/config.h"

namespace ccr::engine {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

// A bare K, M or G is left out on purpose: it means 1000 to some programs and 1024 to others.
constexpr std::array size_units{
    Unit{"", 1},      Unit{"B", 1},        Unit{"kB", 1e3},     Unit{"KB", 1e3},     Unit{"MB", 1e6},     Unit{"GB", 1e9},
    Unit{"TB", 1e12}, Unit{"KiB", 0x1p10}, Unit{"MiB", 0x1p20}, Unit{"GiB", 0x1p30}, Unit{"TiB", 0x1p40},
};
constexpr std::array bit_units{
    Unit{"bit", 1.0 / 8}, Unit{"kbit", 1e3 / 8}, Unit{"Kbit", 1e3 / 8}, Unit{"Mbit", 1e6 / 8}, Unit{"Gbit", 1e9 / 8},
};
constexpr std::array duration_units{
    Unit{"ns", 1},   Unit{"us", 1e3},   Unit{"ms", 1e6},   Unit{"s", 1e9},
    Unit{"m", 60e9}, Unit{"min", 60e9}, Unit{"h", 3600e9}, Unit{"d", 86400e9},
};

struct Quantity {
  double number = 0;
  std::string_view unit;
};

// A decimal number, at most one space, and the rest as its unit.
std::optional<Quantity> split_quantity(std::string_view text) {
  const std::size_t digits = text.find_first_not_of("0123456789.");
  const std::string_view number = text.substr(0, digits);
  if (number.empty() || number.front() == '.' || number.back() == '.') return std::nullopt;
  Quantity quantity;
  const auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), quantity.number);
  if (failure != std::errc() || end != number.data() + number.size()) return std::nullopt;
  if (digits != std::string_view::npos) quantity.unit = text.substr(digits);
  if (quantity.unit.size() > 1 && quantity.unit.front() == ' ') quantity.unit.remove_prefix(1);
  return quantity;
}

template <std::size_t count>
std::optional<double> scale(const std::optional<Quantity>& quantity, const std::array<Unit, count>& units) {
  if (!quantity) return std::nullopt;
  for (const Unit& unit : units) {
    if (unit.name == quantity->unit) return quantity->number * unit.factor;
  }
  return std::nullopt;
}

Error unreadable(const std::string& expected, const std::string& found) {
  return Error{ErrorKind::usage, "expected " + expected + ", found '" + found + "'", ""};
}

constexpr double bytes_limit = 0x1p62;  // sums of a few sizes stay inside 64 bits
constexpr double nanoseconds_limit = 0x1p62;

}  // namespace

Result<std::uint64_t> parse_size(const std::string& text) {
  const std::optional<double> bytes = scale(split_quantity(text), size_units);
  if (!bytes || *bytes >= bytes_limit) return unreadable("a size such as 80MB, 80MiB or 4096", text);
  return static_cast<std::uint64_t>(std::llround(*bytes));
}

Result<std::uint64_t> parse_rate(const std::string& text) {
  if (text == "unlimited") return std::uint64_t(0);
  std::string_view amount = text;
  if (amount.ends_with("/s")) amount.remove_suffix(2);
  const std::optional<Quantity> quantity = split_quantity(amount);
  std::optional<double> bytes = scale(quantity, size_units);
  if (!bytes) bytes = scale(quantity, bit_units);
  const std::string expected = "a rate such as 80MB/s, 1Gbit or unlimited";
  // A bare 80 means megabytes to whoever forgot the unit; taken as bytes it would stop a seed for hours.
  if (quantity && quantity->unit.empty()) {
    Error error = unreadable(expected, text);
    error.hint = "a rate needs a unit: " + std::string(amount) + "MB/s, " + std::string(amount) + "Mbit, or " + std::string(amount) + "B/s for bytes";
    return error;
  }
  if (!bytes || *bytes >= bytes_limit || *bytes < 1) return unreadable(expected, text);
  return static_cast<std::uint64_t>(std::llround(*bytes));
}

const char* name_of(DatabaseKind kind) noexcept { return kind == DatabaseKind::pages ? "pages" : "sqlite"; }

const char* name_of(CommitMode mode) noexcept {
  switch (mode) {
    case CommitMode::async: return "async";
    case CommitMode::received: return "received";
    case CommitMode::durable: return "durable";
  }
  return "?";
}

bool DatabaseConfig::has_copy(const std::string& node) const { return std::find(copies.begin(), copies.end(), node) != copies.end(); }

Duration lag_of(const std::map<std::string, Duration>& lags, const std::string& node) {
  const auto found = lags.find(node);
  return found == lags.end() ? Duration::zero() : found->second;
}

Result<Duration> parse_duration(const std::string& text) {
  const std::optional<double> nanoseconds = scale(split_quantity(text), duration_units);
  if (!nanoseconds || *nanoseconds >= nanoseconds_limit) return unreadable("a duration such as 500ms, 1.2s, 30s or 5m", text);
  return Duration(std::llround(*nanoseconds));
}

namespace {

// Insertions, deletions, replacements and swaps of neighbours each cost one (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

constexpr std::size_t word_bytes_max = 64;  // longer words are no typing mistakes; bounds the table above

}  // namespace

std::optional<std::string> did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > word_bytes_max) return std::nullopt;
  // Something of the word must be left, or 'a' would become any two letters.
  std::size_t nearest = std::min(std::max<std::size_t>(2, word.size() / 3), word.size() - 1) + 1;
  std::optional<std::string> answer;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > word_bytes_max) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= nearest) continue;
    nearest = distance;
    answer = candidate;
  }
  return answer;
}

}  // namespace ccr::engine
