// Counters with names, kept in a page store that ccr copies to other nodes.
//
//   counters CONFIG NODE DATABASE
//
// reads lines from stdin and answers each with one on stdout:
//
//   add NAME N    NAME=VALUE once it is as safe as `commit` in the configuration says
//   get NAME      NAME=VALUE
//   all           how many there are, and their sum
//   wait          until this node serves the database
//
// or `REASON: MESSAGE`. The node runs from the first line to the end of the input: seeds, log and `ccr status` go on meanwhile.
//
// Page 1 + h % buckets holds the counters whose name has the hash h: 64 bytes each, 56 of the name and 8 of the value. One commit is one page.
#include <algorithm>
#include <array>
#include <cstring>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include <ccr/node.h>

namespace {

using ccr::library::Node;
using ccr::library::Outcome;
using ccr::library::Page;
using ccr::library::Pages;
using ccr::library::Reason;

constexpr std::uint32_t page_size = 4096, buckets = 64;
constexpr std::size_t slot_bytes = 64, name_bytes = 56;

std::string text_of(const Outcome& outcome) { return std::string(name_of(outcome.reason)) + ": " + outcome.message; }

// FNV-1a: the place of a counter on disk must be the same in every build.
std::uint32_t page_of(const std::string& name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char letter : name) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
  return 1 + static_cast<std::uint32_t>(hash % buckets);
}

std::string name_at(const std::byte* slot) {
  const char* text = reinterpret_cast<const char*>(slot);
  return std::string(text, std::find(text, text + name_bytes, '\0'));
}

std::int64_t value_at(const std::byte* slot) {
  std::int64_t value = 0;
  std::memcpy(&value, slot + name_bytes, sizeof value);
  return value;
}

class Counters {
 public:
  Counters(Node& node, std::string database) : node_(node), database_(std::move(database)) {}

  std::string get(const std::string& name) {
    Page page;
    if (const Outcome read = load(name, page); !read) return text_of(read);
    const std::byte* slot = slot_of(page, name);
    return name + "=" + std::to_string(slot != nullptr && name_at(slot) == name ? value_at(slot) : 0);
  }

  std::string add(const std::string& name, std::int64_t amount) {
    if (name.empty() || name.size() > name_bytes) return "usage: a name has 1 to 56 letters";
    Page page;
    if (const Outcome read = load(name, page); !read) return text_of(read);
    std::byte* slot = slot_of(page, name);
    if (slot == nullptr) return "full: no room for " + name;
    const std::int64_t value = value_at(slot) + amount;
    std::memcpy(slot, name.data(), name.size());
    std::memcpy(slot + name_bytes, &value, sizeof value);
    if (const Outcome committed = node_.commit(database_, {page}); !committed) return text_of(committed);
    return name + "=" + std::to_string(value);
  }

  std::string all() {
    Pages pages;
    if (const Outcome read = node_.read(database_, 1, buckets, pages); !read) return text_of(read);
    std::int64_t count = 0, sum = 0;
    for (std::size_t at = 0; at + slot_bytes <= pages.images.size(); at += slot_bytes) {
      if (name_at(pages.images.data() + at).empty()) continue;
      ++count;
      sum += value_at(pages.images.data() + at);
    }
    return std::to_string(count) + " counters, sum " + std::to_string(sum);
  }

 private:
  Outcome load(const std::string& name, Page& page) {
    Pages pages;
    const Outcome read = node_.read(database_, page_of(name), 1, pages);
    page.number = page_of(name);
    page.image = std::move(pages.images);
    page.image.resize(page_size);  // a page that was never written is zeros
    return read;
  }

  // Where it is, or where it has room; null: no room.
  static std::byte* slot_of(Page& page, const std::string& name) {
    for (std::size_t at = 0; at < page.image.size(); at += slot_bytes) {
      const std::string here = name_at(page.image.data() + at);
      if (here == name || here.empty()) return page.image.data() + at;
    }
    return nullptr;
  }

  Node& node_;
  std::string database_;
};

std::string answer(Node& node, const std::string& database, const std::string& line) {
  std::istringstream words(line);
  std::string command, name;
  std::int64_t amount = 1;
  words >> command >> name >> amount;
  Counters counters(node, database);
  if (command == "add") return counters.add(name, amount);
  if (command == "get") return counters.get(name);
  if (command == "all") return counters.all();
  if (command != "wait") return "usage: add, get, all or wait";
  const Outcome active = node.wait_active(database, std::chrono::seconds(30));
  return active ? "active" : text_of(active);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "counters CONFIG NODE DATABASE\n";
    return 2;
  }
  Node node;
  ccr::library::Options options;
  options.config_file = arguments[1];
  options.node = arguments[2];
  if (const Outcome started = node.start(options); !started) {
    std::cerr << text_of(started) << (started.hint.empty() ? "" : "\nhint: " + started.hint) << "\n";
    return 1;
  }
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(node, arguments[3], line) << std::endl;
  const Outcome stopped = node.stop();
  if (!stopped) std::cerr << text_of(stopped) << "\n";
  return stopped ? 0 : 1;
}
