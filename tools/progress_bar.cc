#include "tools/progress_bar.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/amounts.h"
#include "tools/json_fields.h"
#include "tools/text_table.h"

namespace ccr::tools {
namespace {

constexpr std::size_t bar_width_min = 10;
constexpr std::size_t bar_width_max = 40;

std::optional<double> share_of(const Progress& progress) {
  if (!progress.done_bytes || !progress.total_bytes || *progress.total_bytes == 0) return std::nullopt;
  return std::min(1.0, static_cast<double>(*progress.done_bytes) / static_cast<double>(*progress.total_bytes));
}

// What stands behind the bar.
std::string amounts_text(const Progress& progress) {
  std::string text;
  // Rounded down: 100 % is said when all is done, not before.
  if (const auto share = share_of(progress)) text += fmt::format("  {:.1f} %", static_cast<int>(*share * 1000) / 10.0);
  if (progress.done_bytes) text += "  " + size_text(*progress.done_bytes);
  if (progress.done_bytes && progress.total_bytes && *progress.total_bytes != 0) text += " of " + size_text(*progress.total_bytes);
  if (progress.rate) text += "  " + rate_text(*progress.rate);
  if (progress.rate_limit) text += " (limit " + rate_text(*progress.rate_limit) + ")";
  if (progress.eta_seconds) text += "  " + age_text(*progress.eta_seconds) + " left";
  return text;
}

std::string waiting_text(const Progress& progress) { return "waits: " + escaped(progress.cause); }

std::string phase_text(const Progress& progress) { return progress.phase.empty() ? "working" : escaped(progress.phase); }

}  // namespace

Progress progress_of(const nlohmann::json& fields) {
  return {text_field(fields, "phase"),         text_field(fields, "cause"),          count_field(fields, "done_bytes"), count_field(fields, "total_bytes"),
          number_field(fields, "rate"), number_field(fields, "eta_seconds"), number_field(fields, "rate_limit")};
}

std::string progress_line(const Progress& progress) {
  if (!progress.cause.empty()) return waiting_text(progress);
  return phase_text(progress) + amounts_text(progress);
}

std::string progress_bar(const Progress& progress, std::size_t columns) {
  if (!progress.cause.empty()) return waiting_text(progress).substr(0, columns);
  const std::string phase = phase_text(progress);
  const std::string amounts = amounts_text(progress);
  const std::optional<double> share = share_of(progress);
  const std::size_t around = text_columns(phase) + text_columns(amounts) + 4;  // two spaces and two brackets
  if (!share || around + bar_width_min > columns) return (phase + amounts).substr(0, columns);
  const std::size_t width = std::min(columns - around, bar_width_max);
  const auto full = static_cast<std::size_t>(*share * static_cast<double>(width));
  return phase + "  [" + std::string(full, '#') + std::string(width - full, '-') + "]" + amounts;
}

}  // namespace ccr::tools
