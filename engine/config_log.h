// What a database's table says of its log, and of a WAL that becomes log: how much of it is held, for how long, and what comes at the end of that.
#pragma once

#include "engine/config.h"
#include "engine/config_table.h"

namespace ccr::engine {

void read_log(const ConfigTable& table, DatabaseConfig& database);  // behind its kind, its copies and its generation_size

}  // namespace ccr::engine
