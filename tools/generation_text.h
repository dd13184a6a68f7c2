// A log generation and a chain as text and as JSON. Pure.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "storage/log_reader.h"

namespace ccr::tools {

std::string generation_text(const storage::GenerationFacts& facts, const std::string& file);
nlohmann::json generation_json(const storage::GenerationFacts& facts, const std::string& file);

// At least one generation.
std::string chain_text(const std::vector<storage::ChainLink>& chain, const std::string& directory);
nlohmann::json chain_json(const std::vector<storage::ChainLink>& chain, const std::string& directory);

}  // namespace ccr::tools
