#include "tools/text_table.h"

#include <algorithm>

#include <fmt/format.h>

namespace ccr::tools {
namespace {

const char* code_of(Style style) noexcept {
  switch (style) {
    case Style::none:
      return "";
    case Style::heading:
      return "\x1b[1m";
    case Style::good:
      return "\x1b[32m";
    case Style::attention:
      return "\x1b[33m";
    case Style::bad:
      return "\x1b[31m";
  }
  return "";
}

// Bytes of the well-formed UTF-8 character at `at`; 0 when it is not one. Overlong forms and surrogates are not told apart: they
// are harmless to a terminal.
std::size_t character_bytes(const std::string& text, std::size_t at) noexcept {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t size = lead < 0x80                   ? 1
                           : lead >= 0xc2 && lead < 0xe0 ? 2
                           : lead >= 0xe0 && lead < 0xf0 ? 3
                           : lead >= 0xf0 && lead < 0xf5 ? 4
                                                         : 0;
  if (size == 0 || at + size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80) return 0;
  }
  return size;
}

// C0, DEL, and C1, which is U+0080 to U+009F and drives some terminals too.
bool is_control(const std::string& text, std::size_t at, std::size_t size) noexcept {
  const auto first = static_cast<unsigned char>(text[at]);
  if (size == 1) return first < 0x20 || first == 0x7f;
  return size == 2 && first == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0;
}

}  // namespace

std::string styled(const std::string& text, Style style, bool color) {
  if (!color || style == Style::none) return text;
  return code_of(style) + text + "\x1b[0m";
}

std::size_t text_columns(const std::string& text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string escaped(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_bytes(text, at);
    if (size == 0 || is_control(text, at, size)) {
      const std::size_t bad = std::max<std::size_t>(size, 1);
      for (std::size_t i = 0; i < bad; ++i) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at + i]));
      at += bad;
      continue;
    }
    out.append(text, at, size);
    at += size;
  }
  return out;
}

std::string TextTable::line(const std::vector<Cell>& cells, const std::vector<std::size_t>& widths, const std::string& remark,
                            bool color) const {
  std::string out;
  std::string gap;  // held back, so that nothing trails
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!cells[i].text.empty()) {
      out += gap + styled(cells[i].text, cells[i].style, color);
      gap.clear();
    }
    gap += std::string(widths[i] - text_columns(cells[i].text) + 2, ' ');
  }
  if (!remark.empty()) out += gap + " " + remark;
  return out + "\n";
}

std::string TextTable::text(bool color) const {
  std::vector<std::size_t> widths;
  std::vector<Cell> heading;
  for (const std::string& word : headings_) {
    widths.push_back(text_columns(word));
    heading.push_back({word, Style::heading});
  }
  for (const Row& row : rows_) {
    for (std::size_t i = 0; i < row.cells.size(); ++i) widths[i] = std::max(widths[i], text_columns(row.cells[i].text));
  }
  std::string out = line(heading, widths, "", color);
  for (const Row& row : rows_) {
    out += line(row.cells, widths, row.remark, color);
    for (const std::string& note : row.notes) out += "  " + note + "\n";
  }
  return out;
}

}  // namespace ccr::tools
