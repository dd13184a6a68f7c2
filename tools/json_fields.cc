#include "tools/json_fields.h"

#include <nlohmann/json.hpp>

namespace ccr::tools {

using nlohmann::json;

const json& field(const json& object, const char* key) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto at = object.find(key);
  return at == object.end() ? nothing : *at;
}

std::string text_field(const json& object, const char* key) {
  const json& value = field(object, key);
  return value.is_string() ? value.get<std::string>() : "";
}

std::optional<double> number_field(const json& object, const char* key) {
  const json& value = field(object, key);
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

std::optional<std::uint64_t> count_field(const json& object, const char* key) {
  const json& value = field(object, key);
  const bool negative = value.is_number_integer() && !value.is_number_unsigned() && value.get<std::int64_t>() < 0;
  if (!value.is_number_integer() || negative) return std::nullopt;
  return value.get<std::uint64_t>();
}

bool flag_field(const json& object, const char* key) {
  const json& value = field(object, key);
  return value.is_boolean() && value.get<bool>();
}

const json& list_field(const json& object, const char* key) {
  static const json nothing = json::array();
  const json& value = field(object, key);
  return value.is_array() ? value : nothing;
}

}  // namespace ccr::tools
