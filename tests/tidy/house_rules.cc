#include "tests/tidy/house_rules.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <regex>

#include "tests/tidy/seam_table.h"

namespace ccr::tidy {
namespace {

struct Layer {
  std::string_view folder;
  std::vector<std::string_view> knows;
};

// storage and transport do not know each other; engine knows none that stands beside or above it.
const std::vector<Layer>& layers() {
  static const std::vector<Layer> table = {
      {"base", {"base"}},
      {"storage", {"base", "storage"}},
      {"transport", {"base", "transport"}},
      {"seed", {"base", "storage", "transport", "seed"}},
      {"engine", {"base", "storage", "transport", "seed", "engine"}},
      {"tools", {"base", "storage", "transport", "seed", "engine", "tools"}},
      {"library", {"base", "storage", "transport", "seed", "engine", "tools", "library"}},
      {"bench", {"base", "storage", "transport", "seed", "engine", "tools", "bench", "tests"}},
      {"tests", {"base", "storage", "transport", "seed", "engine", "tools", "tests"}},
  };
  return table;
}

struct Ban {
  Reach reach;
  std::string_view what;
  std::vector<std::string_view> words;  // each a whole word of the code; with a parenthesis, only where it is called
};

const std::vector<Ban>& bans() {
  static const std::vector<Ban> table = {
      {Reach::time, "time", {"steady_clock", "system_clock", "high_resolution_clock", "clock_gettime", "gettimeofday"}},
      {Reach::time, "timer", {"steady_timer", "system_timer"}},
      {Reach::time, "sleep", {"sleep_for(", "usleep(", "nanosleep(", "this_thread::sleep_until"}},
      {Reach::chance, "chance", {"random_device", "mt19937", "mt19937_64", "getrandom", "getentropy", "rand(", "srand("}},
      {Reach::threads,
       "thread",
       {"std::thread", "std::jthread", "std::async", "std::mutex", "std::condition_variable", "pthread_create"}},
      {Reach::environment, "environment", {"getenv", "setenv", "secure_getenv"}},
      {Reach::files, "file stream", {"fstream", "ifstream", "ofstream", "fopen", "std::filesystem"}},
      {Reach::system, "system call", {}},  // any call that is written with a leading ::
  };
  return table;
}

bool holds_word(std::string_view line, std::string_view word) {
  for (std::size_t at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !word_character(line[at - 1]);
    if (begins && (word.ends_with('(') || end == line.size() || !word_character(line[end]))) return true;
  }
  return false;
}

// `::open(` and not `File::open(`; sqlite3 is a library, wherever it may be included.
bool holds_system_call(std::string_view line) {
  for (std::size_t at = line.find("::"); at != std::string_view::npos; at = line.find("::", at + 2)) {
    if (at > 0 && (word_character(line[at - 1]) || line[at - 1] == '>' || line[at - 1] == ':')) continue;
    const std::string_view name = line.substr(at + 2);
    const std::size_t length = static_cast<std::size_t>(std::ranges::find_if_not(name, word_character) - name.begin());
    if (length > 0 && length < name.size() && name[length] == '(' && !name.starts_with("sqlite3_")) return true;
  }
  return false;
}

bool breaks(const Ban& ban, std::string_view line) {
  if (ban.reach == Reach::system) return holds_system_call(line);
  return std::ranges::any_of(ban.words, [line](std::string_view word) { return holds_word(line, word); });
}

bool is_seam(const SourceText& file, Reach reach) {
  return std::any_of(std::begin(seams), std::end(seams),
                     [&](const Seam& seam) { return seam.path == file.path && seam.reach == reach; });
}

// Tests and benches are programs of their own: they may touch files and threads, but they neither sleep nor throw dice.
bool is_banned(const SourceText& file, const Ban& ban) {
  const std::string folder = file.folder();
  if (folder == "tests" || folder == "bench") return ban.what == "sleep" || ban.what == "chance";
  return true;
}

Findings ban_findings(const SourceText& file, const Ban& ban) {
  Findings found;
  std::size_t number = 0;
  for (const std::string_view line : lines_of(file.code)) {
    ++number;
    if (line.starts_with("#include")) continue;
    if (breaks(ban, line)) {
      found.push_back(finding(file, number, std::string(ban.what) + " outside the seam files: " + std::string(line)));
    }
  }
  return found;
}

// A container whose order cannot show says so where it is declared or where it is walked.
bool waived(std::string_view line) { return line.find("order never shows") != std::string_view::npos; }

bool is_test_source(const SourceText& file) { return file.folder() == "tests"; }

bool says_why_longer(const SourceText& file) {
  const std::vector<std::string_view> lines = lines_of(file.text);
  const std::size_t first = std::min(lines.size(), reason_lines_max);
  return std::any_of(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(first),
                     [](std::string_view line) { return line.starts_with("// longer because: "); });
}

// The rules' own words stand in the rules and in the snippets that try them.
bool is_rule_file(const SourceText& file) { return file.path.starts_with("tests/tidy"); }

// The bytes of a co_await's operand: to the end of the statement, or to the parenthesis that encloses the whole expression.
std::string_view awaited(std::string_view code, std::size_t from) {
  int depth = 0;
  for (std::size_t at = from; at < code.size(); ++at) {
    const char c = code[at];
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (depth < 0 || (depth == 0 && (c == ';' || c == '{'))) return code.substr(from, at - from);
  }
  return code.substr(from);
}

}  // namespace

Findings layer_findings(const SourceText& file) {
  static const std::regex include(R"re(^#include "([a-z_0-9]+)/)re");
  const std::string folder = file.folder();
  const auto layer = std::ranges::find(layers(), folder, &Layer::folder);
  if (layer == layers().end()) return {finding(file, 1, "lies in no known folder")};
  Findings found;
  std::size_t number = 0;
  for (const std::string_view line : lines_of(file.code)) {
    ++number;
    std::match_results<std::string_view::const_iterator> match;
    if (!line.starts_with("#include \"")) continue;
    const bool named = std::regex_search(line.begin(), line.end(), match, include);
    if (!named || std::ranges::find(layer->knows, match[1].str()) == layer->knows.end()) {
      found.push_back(finding(file, number, folder + " may not know " + std::string(line.substr(9))));
    }
  }
  return found;
}

Findings seam_findings(const SourceText& file) {
  Findings found;
  for (const Ban& ban : bans()) {
    if (!is_banned(file, ban) || is_seam(file, ban.reach)) continue;
    std::ranges::move(ban_findings(file, ban), std::back_inserter(found));
  }
  return found;
}

Findings idle_seam_findings(const std::vector<SourceText>& tree) {
  Findings found;
  for (const Seam& seam : seams) {
    const auto file = std::ranges::find(tree, seam.path, &SourceText::path);
    const bool used = file != tree.end() && std::ranges::any_of(bans(), [&](const Ban& ban) {
                        return ban.reach == seam.reach && !ban_findings(*file, ban).empty();
                      });
    if (!used) found.push_back(std::string(seam.path) + " needs no entry in tests/tidy/seam_table.h: " + std::string(seam.reason));
  }
  return found;
}

std::vector<std::string> unordered_names(const SourceText& file) {
  static const std::regex declaration(R"(\bunordered_(?:multi)?(?:map|set)<[^;{}()]*>&?\s+(\w+)\s*[;={(,)])");
  std::vector<std::string> names;
  for (std::sregex_iterator match(file.code.begin(), file.code.end(), declaration), end; match != end; ++match) {
    const std::size_t line = line_at(file.code, static_cast<std::size_t>(match->position()));
    if (!waived(lines_of(file.text)[line - 1])) names.push_back((*match)[1]);
  }
  return names;
}

Findings unordered_findings(const SourceText& file, const std::vector<std::string>& names) {
  Findings found;
  const std::vector<std::string_view> text = lines_of(file.text);
  std::size_t number = 0;
  for (const std::string_view line : lines_of(file.code)) {
    ++number;
    for (const std::string& name : names) {
      if (line.find(name) == std::string_view::npos) continue;
      const std::regex walk("for \\([^;]*:\\s*" + name + "\\)|\\b" + name + "\\.c?begin\\(");
      if (!std::regex_search(line.begin(), line.end(), walk)) continue;
      if (waived(text[number - 1])) continue;
      found.push_back(finding(file, number, "walks the unordered container " + name));
    }
  }
  return found;
}

Findings size_findings(const SourceText& file) {
  const std::size_t lines = lines_of(file.text).size();
  const std::size_t most = is_test_source(file) ? test_lines_max : file.header() ? header_lines_max : source_lines_max;
  if (lines <= most || says_why_longer(file)) return {};
  return {finding(file, lines, std::to_string(lines) + " lines, the room is " + std::to_string(most))};
}

Findings header_findings(const SourceText& file) {
  if (!file.header()) return {};
  Findings found;
  if (!file.text.starts_with("//")) found.push_back(finding(file, 1, "a header begins with what it promises"));
  if (file.code.find("\n#pragma once\n") == std::string::npos) found.push_back(finding(file, 1, "no #pragma once"));
  const std::size_t opened = file.code.find("using namespace ");
  if (opened != std::string::npos) found.push_back(finding(file, line_at(file.code, opened), "using namespace in a header"));
  return found;
}

Findings unfinished_findings(const SourceText& file) {
  static const std::string_view reminders[] = {
      "TODO", "FIXME", "XXX", "HACK", "unimplemented", "not implemented", "not yet implemented"};
  if (is_rule_file(file)) return {};
  Findings found;
  std::size_t number = 0;
  for (const std::string_view line : lines_of(file.text)) {
    ++number;
    const bool left = std::ranges::any_of(reminders, [line](std::string_view word) { return holds_word(line, word); });
    if (left) found.push_back(finding(file, number, "left undone"));
  }
  return found;
}

Findings assertion_findings(const SourceText& file) {
  static const std::regex assertion(R"(\b(EXPECT|ASSERT)_\w+\(|\bADD_FAILURE\(\))");
  static const std::regex test(R"(^TEST(_F|_P)?\()", std::regex::multiline);
  if (!is_test_source(file) || !(file.path.ends_with("_test.cc") || std::regex_search(file.code, test))) return {};
  if (std::regex_search(file.code, assertion)) return {};
  return {finding(file, 1, "asserts nothing")};
}

Findings word_findings(const SourceText& file) {
  static const std::regex names(R"(\b(class|struct|namespace) \w*([Mm]anager|_utils?|Utils?|[Hh]elpers?)\b)");
  static const std::string_view paths[] = {"/home/", "/root/", "/Users/"};
  if (is_rule_file(file)) return {};
  Findings found;
  for (std::sregex_iterator match(file.code.begin(), file.code.end(), names), end; match != end; ++match) {
    const std::size_t line = line_at(file.code, static_cast<std::size_t>(match->position()));
    found.push_back(finding(file, line, "a name that says nothing: " + match->str()));
  }
  for (const std::string_view path : paths) {
    const std::size_t at = file.text.find(path);
    if (at != std::string::npos) found.push_back(finding(file, line_at(file.text, at), "a path of one machine"));
  }
  return found;
}

Findings catch_findings(const SourceText& file) {
  static const std::regex caught(R"(\bcatch \((\.\.\.|[^)]*(std::exception|system_error)\b[^)]*)\))");
  static const std::string_view owners[] = {
      "base/task_group.cc",     // where stopping ends
      "engine/active_copy.cc",  // closes the source of a stopped copy, then unwinds further
      "engine/copier.cc",       // writes what was received to its end, then unwinds further
  };
  if (is_test_source(file) || file.folder() == "tools" || file.folder() == "bench") return {};
  if (std::ranges::find(owners, file.path) != std::end(owners)) return {};
  Findings found;
  for (std::sregex_iterator match(file.code.begin(), file.code.end(), caught), end; match != end; ++match) {
    const std::size_t line = line_at(file.code, static_cast<std::size_t>(match->position()));
    found.push_back(finding(file, line, "catches what may be the end of a task"));
  }
  return found;
}

Findings await_findings(const SourceText& file) {
  constexpr std::string_view keyword = "co_await ";
  static const std::regex harmless(R"(\{\d*\})");  // a value without members to free
  Findings found;
  for (std::size_t at = file.code.find(keyword); at != std::string::npos; at = file.code.find(keyword, at + 1)) {
    if (at >= 2 && file.code.compare(at - 2, 2, "? ") == 0) {
      found.push_back(finding(file, line_at(file.code, at), "an awaited call in a conditional"));
    }
    const std::string operand = std::regex_replace(std::string(awaited(file.code, at + keyword.size())), harmless, "");
    if (operand.find('{') == std::string::npos) continue;
    found.push_back(finding(file, line_at(file.code, at), "braces inside a co_await expression"));
  }
  return found;
}

}  // namespace ccr::tidy
