// TextTable lines up cells under their headings: two spaces between columns, three before what follows a row, none at the end.
// Pure.
#pragma once

#include <string>
#include <vector>

namespace ccr::tools {

// Colours as terminals have them; Style::none prints the cell alone.
enum class Style { none, heading, good, attention, bad };
std::string styled(const std::string& text, Style style, bool color);

// Width on a terminal: one column for each character of UTF-8.
std::size_t text_columns(const std::string& text) noexcept;

// Text that another program wrote, safe for a terminal: control characters and broken UTF-8 come out as \xNN.
std::string escaped(const std::string& text);

class TextTable {
 public:
  struct Cell {
    std::string text;
    Style style = Style::none;
  };
  struct Row {
    std::vector<Cell> cells;
    std::string remark;              // behind the last column
    std::vector<std::string> notes;  // lines of their own below the row, indented
  };

  explicit TextTable(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  void add(Row row) { rows_.push_back(std::move(row)); }
  std::string text(bool color) const;

 private:
  std::string line(const std::vector<Cell>& cells, const std::vector<std::size_t>& widths, const std::string& remark,
                   bool color) const;

  std::vector<std::string> headings_;
  std::vector<Row> rows_;
};

}  // namespace ccr::tools
