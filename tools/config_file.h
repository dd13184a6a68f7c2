// The configuration file as a command finds it: --config or CCR_CONFIG, --node or CCR_NODE, else the defaults.
#pragma once

#include <string>

#include "base/result.h"
#include "engine/config.h"

namespace ccr::tools {

inline constexpr const char* config_file_default = "/etc/ccr/ccr.toml";
inline constexpr std::size_t config_bytes_max = 1 * MiB;

Result<std::string> read_config_text(const std::string& file);
Result<engine::Config> load_config(const std::string& file, const std::string& node);  // an empty node: the host's name
// Whether it names that database, and that copy of it; empty names ask for nothing. Errors: not_found, with the nearest name.
Result<void> find_copy(const engine::Config& config, const std::string& database, const std::string& node);

// The file holds `after` from completion on, durably, with its owner and mode; a link to it stays one. At any failure it holds what it did. refused: it is not
// `before` any more; somebody else changed it.
Result<void> replace_config(const std::string& file, const std::string& before, const std::string& after);

std::string host_name();  // up to the first dot

}  // namespace ccr::tools
