// What a database's table says of the application that uses it: when its commits are answered, and the commands that end and start it.
#pragma once

#include "engine/config.h"
#include "engine/config_table.h"

namespace ccr::engine {

void read_commit(const ConfigTable& table, DatabaseConfig& database);
void read_commands(const ConfigTable& table, DatabaseConfig& database);

}  // namespace ccr::engine
