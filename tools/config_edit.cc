#include "tools/config_edit.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include <toml++/toml.h>

namespace ccr::tools {
namespace {

Error by_hand(const std::string& what) {
  return {ErrorKind::config, what + " stands in the file in a form that ccr does not edit", "edit it by hand, then systemctl reload ccr"};
}

// The text by lines, and where its tables begin.
class Layout {
 public:
  explicit Layout(const std::string& text) : text_(text), root_(toml::parse(text)) {
    starts_.push_back(0);
    for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) starts_.push_back(at + 1);
    find_headers(root_, "");
    std::sort(headers_.begin(), headers_.end(), [](const Header& a, const Header& b) { return a.line < b.line; });
  }

  struct Header {
    std::size_t line = 0;  // from 0
    std::string name;      // "databases.orders"
  };
  const std::vector<Header>& headers() const noexcept { return headers_; }
  const toml::table& root() const noexcept { return root_; }

  std::size_t lines() const noexcept { return starts_.size(); }
  std::size_t start_of(std::size_t line) const { return line < starts_.size() ? starts_[line] : text_.size(); }
  std::string_view line(std::size_t number) const {
    const std::string_view all(text_);
    return all.substr(start_of(number), start_of(number + 1) - start_of(number));
  }
  // Columns count characters, not bytes.
  std::size_t offset(toml::source_position at) const {
    std::size_t offset = start_of(at.line - 1);
    for (std::size_t column = 1; column < at.column && offset < text_.size(); ++column) {
      do ++offset;
      while (offset < text_.size() && (static_cast<unsigned char>(text_[offset]) & 0xC0) == 0x80);
    }
    return offset;
  }
  // Where a table's lines begin: with the comments directly above its header.
  std::size_t first_line(const Header& header) const {
    std::size_t line_number = header.line;
    while (line_number > 0 && word(line_number - 1).starts_with("#")) --line_number;
    return line_number;
  }
  std::size_t end_line(std::size_t header) const { return header + 1 < headers_.size() ? first_line(headers_[header + 1]) : lines(); }
  bool blank(std::size_t number) const { return word(number).empty(); }

 private:
  std::string_view word(std::size_t number) const {
    const std::string_view whole = line(number);
    const std::size_t first = whole.find_first_not_of(" \t\r\n");
    return first == std::string_view::npos ? std::string_view() : whole.substr(first);
  }
  void find_headers(const toml::table& table, const std::string& name) {
    for (const auto& [key, node] : table) {
      const toml::table* inner = node.as_table();
      if (inner == nullptr || inner->is_inline()) continue;
      const std::string full = name.empty() ? std::string(key.str()) : name + "." + std::string(key.str());
      const std::size_t at = inner->source().begin.line - 1;
      const bool own = word(at).starts_with("[");  // not of dotted keys
      const bool implied = std::any_of(headers_.begin(), headers_.end(), [at](const Header& h) { return h.line == at; });
      find_headers(*inner, full);
      const bool implied_by_inner = std::any_of(headers_.begin(), headers_.end(), [at](const Header& h) { return h.line == at; });
      if (own && !implied && !implied_by_inner) headers_.push_back({at, full});
    }
  }

  const std::string& text_;
  toml::table root_;
  std::vector<std::size_t> starts_;
  std::vector<Header> headers_;
};

bool of_table(const std::string& header, const std::string& table) { return header == table || header.starts_with(table + "."); }

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string table_text(const NewDatabase& database) {
  std::string copies;
  for (const std::string& node : database.copies) copies += (copies.empty() ? "" : ", ") + quoted(node);
  return "[databases." + database.name + "]\nkind   = " + quoted(database.kind) + "\npath   = " + quoted(database.path) + "\nlogs   = " + quoted(database.logs) +
         "\ncopies = [" + copies + "]\n";
}

const toml::table* table_of(const Layout& layout, const std::string& database) {
  return layout.root()["databases"][database].as_table();
}

// Takes text[begin, end) out, one of several with commas between, from `before` (the end of the one before it; none: it is the first) to `after` (the begin of
// the next; none: it is the last).
void take_out(std::string& text, std::size_t begin, std::size_t end, std::optional<std::size_t> before, std::optional<std::size_t> after) {
  const auto same_line = [&text](std::size_t from, std::size_t to) { return text.substr(from, to - from).find('\n') == std::string::npos; };
  if (after) {
    text.erase(begin, *after - begin);
  } else if (before && same_line(*before, begin)) {
    text.erase(*before, end - *before);
  } else {
    const std::size_t next = text.find_first_not_of(" \t", end);
    const bool comma = next != std::string::npos && text[next] == ',';
    text.erase(begin, (comma ? next + 1 : end) - begin);
  }
}

struct Entry {
  std::size_t begin = 0, end = 0;
  bool wanted = false;
};

void take_out_wanted(std::string& text, std::vector<Entry> entries) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.begin < b.begin; });
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i].wanted) continue;
    const std::optional<std::size_t> before = i > 0 ? std::optional(entries[i - 1].end) : std::nullopt;
    const std::optional<std::size_t> after = i + 1 < entries.size() ? std::optional(entries[i + 1].begin) : std::nullopt;
    return take_out(text, entries[i].begin, entries[i].end, before, after);
  }
}

// The whole lines of a key and its value.
void take_out_lines(std::string& text, const Layout& layout, const toml::source_region& key, const toml::source_region& value) {
  const std::size_t begin = layout.start_of(key.begin.line - 1), end = layout.start_of(value.end.line);
  text.erase(begin, end - begin);
}

// databases.NAME.KEY of one node: out of the inline table, or its line out of a table of its own; the last one takes the key with it.
Result<std::string> without_lag(const std::string& text, const std::string& database, const std::string& key, const std::string& node) {
  const Layout layout(text);
  const toml::table* table = table_of(layout, database);
  const toml::table* lags = table == nullptr ? nullptr : (*table)[key].as_table();
  if (lags == nullptr || !lags->contains(node)) return text;
  std::string out = text;
  const auto whole = table->find(key);
  const auto mine = lags->find(node);
  if (!lags->is_inline()) take_out_lines(out, layout, mine->first.source(), mine->second.source());
  else if (lags->size() == 1) take_out_lines(out, layout, whole->first.source(), whole->second.source());
  if (!lags->is_inline() || lags->size() == 1) return out;
  std::vector<Entry> entries;
  for (const auto& [name, value] : *lags)
    entries.push_back({layout.offset(name.source().begin), layout.offset(value.source().end), name.str() == node});
  take_out_wanted(out, std::move(entries));
  return out;
}

Result<const toml::array*> copies_of(const Layout& layout, const std::string& database) {
  const toml::table* table = table_of(layout, database);
  const toml::array* copies = table == nullptr ? nullptr : (*table)["copies"].as_array();
  if (copies == nullptr || copies->empty()) return by_hand("copies of " + database);
  return copies;
}

// What cannot happen to a text that was read before; and what would be made of it if it did.
template <class Edit>
Result<std::string> edited(const std::string& what, Edit edit) {
  try {
    Result<std::string> out = edit();
    if (out.ok()) static_cast<void>(toml::parse(*out));
    return out;
  } catch (const toml::parse_error&) {
    return by_hand(what);
  }
}

}  // namespace

Result<std::string> with_database(const std::string& text, const NewDatabase& database) {
  const auto edit = [&]() -> Result<std::string> {
    const Layout layout(text);
    std::size_t behind = layout.lines();
    for (std::size_t i = 0; i < layout.headers().size(); ++i)
      if (layout.headers()[i].name.starts_with("databases.")) behind = layout.end_line(i);
    std::size_t at = layout.start_of(behind);
    const std::string rest = text.substr(at);
    std::string out = text.substr(0, at);
    while (out.ends_with("\n\n")) out.pop_back();
    if (!out.empty() && !out.ends_with("\n")) out += "\n";
    if (!out.empty()) out += "\n";
    out += table_text(database);
    return rest.empty() ? out : out + "\n" + rest;
  };
  return edited("[databases]", edit);
}

Result<std::string> with_copy(const std::string& text, const std::string& database, const std::string& node) {
  const auto edit = [&]() -> Result<std::string> {
    const Layout layout(text);
    const Result<const toml::array*> copies = copies_of(layout, database);
    if (!copies.ok()) return copies.error();
    std::string out = text;
    const toml::node& last = *(*copies)->get((*copies)->size() - 1);
    return out.insert(layout.offset(last.source().end), ", " + quoted(node));
  };
  return edited("copies of " + database, edit);
}

Result<std::string> without_database(const std::string& text, const std::string& database) {
  const auto edit = [&]() -> Result<std::string> {
    const Layout layout(text);
    const std::string table = "databases." + database;
    const std::vector<Layout::Header>& headers = layout.headers();
    const bool there = std::any_of(headers.begin(), headers.end(), [&table](const Layout::Header& header) { return header.name == table; });
    if (!there) return by_hand("database " + database);
    std::string out = text.substr(0, layout.start_of(headers.empty() ? layout.lines() : layout.first_line(headers.front())));
    for (std::size_t i = 0; i < headers.size(); ++i) {
      const std::size_t begin = layout.start_of(layout.first_line(headers[i])), end = layout.start_of(layout.end_line(i));
      if (!of_table(headers[i].name, table)) out += text.substr(begin, end - begin);
    }
    while (out.ends_with("\n\n")) out.pop_back();
    const toml::table after = toml::parse(out);
    if (after["databases"][database]) return by_hand("database " + database);
    return out;
  };
  return edited("database " + database, edit);
}

Result<std::string> without_copy(const std::string& text, const std::string& database, const std::string& node) {
  const auto edit = [&]() -> Result<std::string> {
    Result<std::string> out = without_lag(text, database, "replay_lag", node);
    if (out.ok()) out = without_lag(*out, database, "truncation_lag", node);
    if (!out.ok()) return out;
    const Layout layout(*out);
    const Result<const toml::array*> copies = copies_of(layout, database);
    if (!copies.ok()) return copies.error();
    std::vector<Entry> entries;
    for (const toml::node& each : **copies)
      entries.push_back({layout.offset(each.source().begin), layout.offset(each.source().end), each.value_or(std::string()) == node});
    std::string taken = *out;
    take_out_wanted(taken, std::move(entries));
    return taken;
  };
  return edited("copies of " + database, edit);
}

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace

// Each edit is a few lines near each other: between the first and the last line that differ, what is the same is found by trying.
std::vector<std::string> changed_lines(const std::string& before, const std::string& after) {
  const std::vector<std::string> old_lines = lines_of(before), new_lines = lines_of(after);
  std::vector<std::string> changes;
  std::size_t i = 0, j = 0;
  while (i < old_lines.size() || j < new_lines.size()) {
    if (i < old_lines.size() && j < new_lines.size() && old_lines[i] == new_lines[j]) {
      ++i, ++j;
      continue;
    }
    const auto in_new = i < old_lines.size() ? std::find(new_lines.begin() + static_cast<std::ptrdiff_t>(j), new_lines.end(), old_lines[i]) : new_lines.end();
    const auto in_old = j < new_lines.size() ? std::find(old_lines.begin() + static_cast<std::ptrdiff_t>(i), old_lines.end(), new_lines[j]) : old_lines.end();
    const bool comes = i == old_lines.size() || (in_new != new_lines.end() && in_old == old_lines.end());
    if (comes) changes.push_back("+ " + new_lines[j++]);
    else changes.push_back("- " + old_lines[i++]);
  }
  return changes;
}

}  // namespace ccr::tools
