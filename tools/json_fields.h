// Reading JSON that another process wrote: every accessor has an answer for a field that is absent, null or of another type.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace ccr::tools {

const nlohmann::json& field(const nlohmann::json& object, const char* key);  // null when absent
std::string text_field(const nlohmann::json& object, const char* key);       // empty
std::optional<double> number_field(const nlohmann::json& object, const char* key);
std::optional<std::uint64_t> count_field(const nlohmann::json& object, const char* key);
bool flag_field(const nlohmann::json& object, const char* key);                   // false
const nlohmann::json& list_field(const nlohmann::json& object, const char* key);  // an empty array

}  // namespace ccr::tools
