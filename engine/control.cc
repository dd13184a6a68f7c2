#include "engine/control.h"

#include <cmath>

#include <nlohmann/json.hpp>

namespace ccr::engine {
namespace {

using nlohmann::json;

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

Error wrong_type(std::string_view key, const char* expected, const json& found) {
  return {ErrorKind::usage, "'" + std::string(key) + "': expected " + expected + ", found " + found.type_name(), ""};
}

// nullptr: absent, or null.
const json* find(const json& object, std::string_view key) {
  const auto at = object.find(key);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

// Kinds travel by name, so that both ends may add to them.
ErrorKind kind_of(std::string_view name) noexcept {
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::stopped); ++kind) {
    if (name == name_of(static_cast<ErrorKind>(kind))) return static_cast<ErrorKind>(kind);
  }
  return ErrorKind::io;
}

std::string text_of(const json& object, std::string_view key) {
  const json* value = find(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

json with_id(const std::optional<std::uint64_t>& id) {
  json line = json::object();
  if (id) line["id"] = *id;
  return line;
}

}  // namespace

ControlRequest::ControlRequest() : arguments_(std::make_unique<json>()) {}
ControlRequest::ControlRequest(ControlRequest&&) noexcept = default;
ControlRequest& ControlRequest::operator=(ControlRequest&&) noexcept = default;
ControlRequest::~ControlRequest() = default;

Result<ControlRequest> ControlRequest::parse(std::string_view line) {
  ControlRequest request;
  // Whoever copies or prints a value does so by calls as deep as it is.
  bool deep = false;
  const json::parser_callback_t count_levels = [&deep](int above, json::parse_event_t event, json&) {
    const bool opens = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    deep = deep || (opens && static_cast<std::size_t>(above) >= control_depth_max);
    return !deep;
  };
  *request.arguments_ = json::parse(line, count_levels, false);
  if (deep) return Error{ErrorKind::usage, "a request has at most " + std::to_string(control_depth_max) + " levels", ""};
  const json& object = *request.arguments_;
  if (!object.is_object())
    return Error{ErrorKind::usage, "a request is one JSON object in a line", R"(such as {"id":1,"command":"status"})"};
  const Result<std::string> command = request.text("command");
  const Result<std::string> database = request.text("database");
  const Result<std::string> node = request.text("node");
  CCR_TRY(command);
  CCR_TRY(database);
  CCR_TRY(node);
  if (command->empty()) return Error{ErrorKind::usage, "'command': expected a string, found nothing", ""};
  if (const json* id = find(object, "id")) {
    if (!id->is_number_unsigned()) return wrong_type("id", "an unsigned number", *id);
    request.id_ = id->get<std::uint64_t>();
  }
  request.command_ = *command;
  request.database_ = *database;
  request.node_ = *node;
  return request;
}

Result<std::string> ControlRequest::text(std::string_view key, std::string fallback) const {
  const json* value = find(*arguments_, key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) return wrong_type(key, "a string", *value);
  return value->get<std::string>();
}

bool ControlRequest::has(std::string_view key) const { return find(*arguments_, key) != nullptr; }

Result<bool> ControlRequest::flag(std::string_view key) const {
  const json* value = find(*arguments_, key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) return wrong_type(key, "true or false", *value);
  return value->get<bool>();
}

Result<std::uint64_t> ControlRequest::count(std::string_view key, std::uint64_t fallback) const {
  const json* value = find(*arguments_, key);
  if (value == nullptr) return fallback;
  if (!value->is_number_unsigned()) return wrong_type(key, "an unsigned number", *value);
  return value->get<std::uint64_t>();
}

Result<double> ControlRequest::number(std::string_view key, double fallback) const {
  const json* value = find(*arguments_, key);
  if (value == nullptr) return fallback;
  if (!value->is_number() || !std::isfinite(value->get<double>())) return wrong_type(key, "a number", *value);
  return value->get<double>();
}

std::string encode_result(const std::optional<std::uint64_t>& id, const json& result) {
  json line = with_id(id);
  line["ok"] = true;
  line["result"] = result;
  return dump(line);
}

std::string encode_error(const std::optional<std::uint64_t>& id, const Error& error) {
  json line = with_id(id);
  line["ok"] = false;
  line["error"] = {{"kind", name_of(error.kind)}, {"message", error.message}, {"hint", error.hint}};
  return dump(line);
}

std::string encode_progress(const json& fields) { return dump({{"progress", fields}}); }
std::string encode_event(const json& fields) { return dump({{"event", fields}}); }

ControlLine::ControlLine() = default;
ControlLine::ControlLine(ControlLine&&) noexcept = default;
ControlLine& ControlLine::operator=(ControlLine&&) noexcept = default;
ControlLine::~ControlLine() = default;

Result<ControlLine> decode_line(std::string_view text) {
  json object = json::parse(text, nullptr, false);
  const Error foreign{ErrorKind::protocol, "the daemon sent a line that is no answer: '" + std::string(text.substr(0, 80)) + "'",
                      ""};
  if (!object.is_object()) return foreign;
  ControlLine line;
  const json* ok = find(object, "ok");
  if (ok == nullptr) {
    const char* key = object.contains("progress") ? "progress" : "event";
    if (!object.contains(key)) return foreign;
    line.kind = object.contains("progress") ? ControlLine::Kind::progress : ControlLine::Kind::event;
    line.body = std::make_unique<json>(std::move(object[key]));
    return line;
  }
  if (*ok == true && object.contains("result")) {
    line.kind = ControlLine::Kind::result;
    line.body = std::make_unique<json>(std::move(object["result"]));
    return line;
  }
  const json* error = find(object, "error");
  if (*ok != false || error == nullptr || !error->is_object()) return foreign;
  line.error = {kind_of(text_of(*error, "kind")), text_of(*error, "message"), text_of(*error, "hint")};
  return line;
}

}  // namespace ccr::engine
