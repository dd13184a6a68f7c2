#include "engine/config_paths.h"

#include <algorithm>

#include <fmt/format.h>

namespace ccr::engine {
namespace {

struct Place {
  std::string node, database, key;
  std::string path;        // normal form
  bool directory = false;  // everything below it is ours alone
  bool of_state = false;   // the directory that holds the nodes' own files: places may lie below it, not at it
};

// One slash where several stand, none at the end, no '.' parts. '..' stays: the file system decides about links.
std::string normal_form(const std::string& path) {
  std::string out;
  std::size_t at = 0;
  while (at < path.size()) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, slash - at);
    if (!part.empty() && part != ".") out += "/" + part;
    at = slash + 1;
  }
  return out.empty() ? "/" : out;
}

bool inside(const std::string& path, const std::string& directory) {
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

bool meet(const Place& a, const Place& b) {
  if (a.path == b.path) return true;
  if (a.directory && !a.of_state && inside(b.path, a.path)) return true;
  return b.directory && !b.of_state && inside(a.path, b.path);
}

std::vector<Place> places_of(const ConfigPaths& paths, const std::string& node) {
  std::vector<Place> places;
  const auto add = [&](const std::string& database, const std::string& key, const std::string& path, bool directory,
                       bool of_state) {
    places.push_back({node, database, key, normal_form(replace_node(path, node)), directory, of_state});
  };
  add("", "state_dir", paths.state_dir, true, true);
  add("", "control_socket", paths.control_socket, false, false);
  for (const auto& [name, database] : paths.databases) {
    if (std::find(database.copies.begin(), database.copies.end(), node) == database.copies.end()) continue;
    add(name, "path", database.path, false, false);
    if (database.kind == DatabaseKind::sqlite) add(name, "path", database.path + ".copy", false, false);
    add(name, "logs", database.logs, true, false);
  }
  return places;
}

std::string name_of_place(const Place& place) {
  return place.database.empty() ? place.key : fmt::format("databases.{}.{}", place.database, place.key);
}

bool same_host(const NodeConfig& a, const NodeConfig& b) {
  const auto shares = [&b](const transport::Endpoint& mine) {
    return std::any_of(b.addresses.begin(), b.addresses.end(), [&mine](const auto& theirs) { return mine.host == theirs.host; });
  };
  return std::any_of(a.addresses.begin(), a.addresses.end(), shares);
}

std::optional<PathConflict> conflict_on(const std::vector<Place>& places) {
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (std::size_t j = i + 1; j < places.size(); ++j) {
      const Place& a = places[i];
      const Place& b = places[j];
      if (!meet(a, b)) continue;
      return PathConflict{
          b.database, b.key,
          fmt::format("{}: expected a place of its own, found '{}', which {} has", name_of_place(b), b.path, name_of_place(a)), ""};
    }
  }
  return std::nullopt;
}

std::optional<PathConflict> conflict_between(const std::vector<Place>& ours, const std::vector<Place>& theirs) {
  for (const Place& a : ours) {
    for (const Place& b : theirs) {
      if (!meet(a, b)) continue;
      return PathConflict{
          b.database, b.key,
          fmt::format("{}: nodes {} and {} are on one host and would share '{}'", name_of_place(b), a.node, b.node, b.path),
          "put {node} into it"};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string replace_node(std::string text, const std::string& node) {
  constexpr std::string_view placeholder = "{node}";
  if (node.empty()) return text;
  for (std::size_t at = text.find(placeholder); at != std::string::npos; at = text.find(placeholder, at + node.size())) {
    text.replace(at, placeholder.size(), node);
  }
  return text;
}

std::optional<PathConflict> find_path_conflict(const ConfigPaths& paths, const std::map<std::string, NodeConfig>& nodes) {
  for (const auto& [name, node] : nodes) {
    if (auto conflict = conflict_on(places_of(paths, name))) return conflict;
  }
  for (auto a = nodes.begin(); a != nodes.end(); ++a) {
    for (auto b = std::next(a); b != nodes.end(); ++b) {
      if (!same_host(a->second, b->second)) continue;
      if (auto conflict = conflict_between(places_of(paths, a->first), places_of(paths, b->first))) return conflict;
    }
  }
  return std::nullopt;
}

}  // namespace ccr::engine
