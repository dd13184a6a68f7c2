// What status says of a copy's connection, from its JSON: lines below the copy's row. Pure.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace ccr::tools {

// brief: only what is wrong with it, and what helps. full: the connection first. Nothing where `connection` is null.
enum class Detail { brief, full };
// How log goes to a copy, or came; nothing where none did. With Detail::full only.
std::vector<std::string> shipped_lines(const nlohmann::json& shipped, Detail detail);
std::vector<std::string> connection_lines(const nlohmann::json& connection, Detail detail);

}  // namespace ccr::tools
