// engine/README.md shows which state may follow which; here its table is held against the code.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "engine/copy_state.h"

namespace ccr::engine {
namespace {

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) {
    const std::size_t first = cell.find_first_not_of(' ');
    cells.push_back(first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') + 1 - first));
  }
  return cells;
}

// The lines of the table whose first cell is "from \ to", without its rule.
std::vector<std::vector<std::string>> table() {
  std::ifstream page(CCR_SOURCE_DIR "/engine/README.md");
  std::vector<std::vector<std::string>> rows;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    inside = line.starts_with("| from \\ to ") || (inside && line.starts_with("|"));
    if (inside && !line.starts_with("| ---")) rows.push_back(cells_of(line));
  }
  return rows;
}

TEST(StatePage, ShowsEveryState) {
  const std::vector<std::vector<std::string>> rows = table();
  ASSERT_EQ(rows.size(), state_count + 1);
  for (std::size_t row = 1; row < rows.size(); ++row) {
    ASSERT_EQ(rows[row].size(), state_count + 1) << rows[row][0];
    EXPECT_EQ(rows[0][row], rows[row][0]);
  }
}

TEST(StatePage, ShowsTheTransitionsOfTheCode) {
  const std::vector<std::vector<std::string>> rows = table();
  ASSERT_EQ(rows.size(), state_count + 1);
  const auto state_titled = [](const std::string& title) {
    for (unsigned i = 0; i < state_count; ++i) {
      if (title_of(static_cast<State>(i)) == title) return static_cast<State>(i);
    }
    ADD_FAILURE() << "no state " << title;
    return State::mounted;
  };
  for (std::size_t row = 1; row < rows.size(); ++row) {
    const State from = state_titled(rows[row][0]);
    for (std::size_t column = 1; column < rows[row].size(); ++column) {
      const State to = state_titled(rows[0][column]);
      EXPECT_EQ(rows[row][column] == "x", may_follow(from, to)) << rows[row][0] << " -> " << rows[0][column];
    }
  }
}

}  // namespace
}  // namespace ccr::engine
