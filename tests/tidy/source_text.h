// SourceText is one file of the tree as the house rules see it: as it is written, and as code alone.
//
// `code` has the same length and the same lines as `text`, with comments and the insides of string and character literals
// turned into blanks, so that a word in a comment or in a message breaks no rule about code.
// Threads: none. Bounds: the file's size, twice.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ccr::tidy {

bool word_character(char c);  // of an identifier

struct SourceText {
  std::string path;  // from the tree's root, with '/'
  std::string text;
  std::string code;

  std::string folder() const { return path.substr(0, path.find('/')); }
  bool header() const { return path.ends_with(".h"); }
};

// One broken rule: "engine/node.cc:12: …".
using Findings = std::vector<std::string>;

SourceText source_text(std::string path, std::string text);

// The code of a text: blanks for comments and literals.
std::string code_of(std::string_view text);

std::vector<std::string_view> lines_of(std::string_view text);

// The line, counted from 1, that holds the character at `offset`.
std::size_t line_at(std::string_view text, std::size_t offset);

std::string finding(const SourceText& file, std::size_t line, std::string_view what);

// All .h and .cc files of the known folders below `root`, sorted by path.
std::vector<SourceText> read_tree(const std::filesystem::path& root);

}  // namespace ccr::tidy
