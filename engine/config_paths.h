// Which places of one host meet: pure. Every directory of ours is ours alone, so two databases, two nodes of one host, or a
// database and its own log may not share one (FAULTS rows 31 and 36 are what happens otherwise).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/config.h"

namespace ccr::engine {

// As in the file, {node} not replaced yet.
struct ConfigPaths {
  std::string state_dir, control_socket;
  struct Database {
    std::string path, logs;
    DatabaseKind kind = DatabaseKind::sqlite;
    std::vector<std::string> copies;
  };
  std::map<std::string, Database> databases;
};

std::string replace_node(std::string text, const std::string& node);  // an empty node leaves {node}

// The first conflict; `database` is empty when `key` stands at the top of the file.
struct PathConflict {
  std::string database, key, message, hint;
};
std::optional<PathConflict> find_path_conflict(const ConfigPaths& paths, const std::map<std::string, NodeConfig>& nodes);

}  // namespace ccr::engine
