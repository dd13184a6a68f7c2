// What every part of a node stands on: the seams, chance, events and the configuration. All outlive the parts.
#pragma once

#include "base/clock.h"
#include "base/cpu_pool.h"
#include "base/programs.h"
#include "base/random.h"
#include "base/trace.h"
#include "engine/config.h"
#include "engine/contacts.h"
#include "engine/path_table.h"
#include "engine/pulse.h"
#include "seed/seed_work.h"
#include "storage/disk.h"
#include "transport/history_budget.h"
#include "transport/network.h"

namespace ccr::engine {

struct NodeContext {
  Executor executor;
  Clock& clock;
  storage::Disk& disk;
  transport::Network& network;
  Random& random;
  Trace& trace;
  const Config& config;
  CpuPool& cpu;
  transport::HistoryBudget& histories;  // of packed log, in both directions
  PathTable& paths;
  Pulses& pulses;
  Contacts& contacts;
  Programs* programs = nullptr;  // none: commands of the user's are not run
  seed::ExtentBudget seed_extents = {};  // in memory, of all seeds into this node
};

// Where a database's files are on this node.
struct CopyPaths {
  std::string state_directory;  // state.0, state.1, digests, seed.map, identity
  std::string digests;
  std::string log_directory;
  std::string page_file;        // of an active sqlite copy: the application's file, never opened by us for writing (engine/application.h)
};
CopyPaths paths_of(const Config& config, const DatabaseConfig& database, bool active);

std::string subject_of(const DatabaseConfig& database, const std::string& node);  // orders@beta

}  // namespace ccr::engine
