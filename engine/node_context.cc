#include "engine/node_context.h"

namespace ccr::engine {

CopyPaths paths_of(const Config& config, const DatabaseConfig& database, bool active) {
  CopyPaths paths;
  paths.state_directory = config.state_dir + "/" + database.name;
  paths.digests = paths.state_directory + "/digests";
  paths.log_directory = database.logs;
  const bool passive_sqlite = database.kind == DatabaseKind::sqlite && !active;
  paths.page_file = passive_sqlite ? database.path + ".copy" : database.path;
  return paths;
}

std::string subject_of(const DatabaseConfig& database, const std::string& node) { return database.name + "@" + node; }

}  // namespace ccr::engine
