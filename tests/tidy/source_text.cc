#include "tests/tidy/source_text.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

namespace ccr::tidy {
namespace {

constexpr const char* folders[] = {"base", "storage", "transport", "seed", "engine", "tools", "library", "bench", "tests"};

// Walks a text once and blanks what is not code.
class Blanker {
 public:
  explicit Blanker(std::string_view text) : text_(text), code_(text) {}

  std::string run() {
    while (at_ < text_.size()) step();
    return std::move(code_);
  }

 private:
  void step() {
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with("//")) return blank(rest.find('\n'));
    if (rest.starts_with("/*")) return blank(after(rest, "*/", 2));
    if (rest.starts_with("R\"") && !word_before()) return raw_literal(rest);
    if (rest.front() == '"' && !include_line()) return literal('"');
    if (rest.front() == '\'' && !word_before()) return literal('\'');  // after a digit it only parts digits
    ++at_;
  }

  static std::size_t after(std::string_view rest, std::string_view end, std::size_t from) {
    const std::size_t found = rest.find(end, from);
    return found == std::string_view::npos ? found : found + end.size();
  }

  bool word_before() const { return at_ > 0 && word_character(text_[at_ - 1]); }

  bool include_line() const {
    const std::size_t line = at_ == 0 ? 0 : text_.rfind('\n', at_ - 1) + 1;  // npos + 1 is the first line
    return text_.substr(line).starts_with("#include");
  }

  void blank(std::size_t count) {
    const std::size_t end = std::min(text_.size(), count == std::string_view::npos ? text_.size() : at_ + count);
    for (; at_ < end; ++at_) {
      if (text_[at_] != '\n') code_[at_] = ' ';
    }
  }

  void raw_literal(std::string_view rest) {
    const std::size_t open = rest.find('(');
    if (open == std::string_view::npos) return blank(rest.size());
    const std::string close = ")" + std::string(rest.substr(2, open - 2)) + "\"";
    blank(after(rest, close, open));
  }

  void literal(char quote) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') end += text_[end] == '\\' ? 2 : 1;
    const std::size_t inside = end - at_ - 1;
    ++at_;
    blank(inside);
    ++at_;
  }

  std::string_view text_;
  std::string code_;
  std::size_t at_ = 0;
};

std::string content_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

bool word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

SourceText source_text(std::string path, std::string text) {
  std::string code = code_of(text);
  return {std::move(path), std::move(text), std::move(code)};
}

std::string code_of(std::string_view text) { return Blanker(text).run(); }

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::size_t line_at(std::string_view text, std::size_t offset) {
  return 1 + static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

std::string finding(const SourceText& file, std::size_t line, std::string_view what) {
  return file.path + ":" + std::to_string(line) + ": " + std::string(what);
}

std::vector<SourceText> read_tree(const std::filesystem::path& root) {
  std::vector<SourceText> files;
  for (const char* folder : folders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::filesystem::path& path = entry.path();
      if (path.extension() != ".h" && path.extension() != ".cc") continue;
      files.push_back(source_text(path.lexically_relative(root).generic_string(), content_of(path)));
    }
  }
  std::sort(files.begin(), files.end(), [](const SourceText& a, const SourceText& b) { return a.path < b.path; });
  return files;
}

}  // namespace ccr::tidy
