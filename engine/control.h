// What a command says to the daemon and hears from it: JSON, one object a line, over the control socket.
//
// Request: {"id":1,"command":"status","database":"orders","node":"beta", …further arguments}. Answer: any number of
// {"progress":{…}} and
// {"event":{…}} lines, then exactly one {"ok":true,"result":{…}} or
// {"ok":false,"error":{"kind":"refused","message":"…","hint":"…"}}, with the request's id when it had one. The next request of a
// connection is read when the last one is answered. Pure but for the two interfaces. Bounds: a request line is at most
// control_request_bytes_max, and its objects and lists lie at most control_depth_max in one another.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/bytes.h"
#include "base/task.h"

namespace ccr::engine {

inline constexpr std::size_t control_request_bytes_max = 64 * KiB;
inline constexpr std::size_t control_depth_max = 16;

// One request, read with types checked: an absent argument gives the fallback, one of another type is ErrorKind::usage.
class ControlRequest {
 public:
  // usage: no JSON object, a deep one, no command, or one of the names below is no string.
  static Result<ControlRequest> parse(std::string_view line);
  ControlRequest(ControlRequest&&) noexcept;
  ControlRequest& operator=(ControlRequest&&) noexcept;
  ~ControlRequest();

  const std::string& command() const noexcept { return command_; }
  const std::string& database() const noexcept { return database_; }  // empty: not named
  const std::string& node() const noexcept { return node_; }          // empty: not named
  const std::optional<std::uint64_t>& id() const noexcept { return id_; }

  bool has(std::string_view key) const;
  Result<std::string> text(std::string_view key, std::string fallback = "") const;
  Result<bool> flag(std::string_view key) const;  // false when absent
  Result<std::uint64_t> count(std::string_view key, std::uint64_t fallback) const;
  Result<double> number(std::string_view key, double fallback) const;  // finite
  const nlohmann::json& arguments() const noexcept { return *arguments_; }

 private:
  ControlRequest();

  std::string command_, database_, node_;
  std::optional<std::uint64_t> id_;
  std::unique_ptr<nlohmann::json> arguments_;  // the whole object
};

// The way back to the client while its command runs. Completion: the line is handed to the kernel. disconnected: the client left.
class ControlReply {
 public:
  virtual ~ControlReply() = default;
  virtual Task<Result<void>> progress(nlohmann::json fields) = 0;
  virtual Task<Result<void>> event(nlohmann::json fields) = 0;
};

// Answers commands. The task of handle() is stopped when the client leaves, so it may only watch what must go on without it.
// `reply` lives until completion. Several may run at a time, one per client.
class ControlHandler {
 public:
  virtual ~ControlHandler() = default;
  virtual Task<Result<nlohmann::json>> handle(ControlRequest request, ControlReply& reply) = 0;
};

// Lines without their newline; text that is not UTF-8 comes out with U+FFFD in it.
std::string encode_result(const std::optional<std::uint64_t>& id, const nlohmann::json& result);
std::string encode_error(const std::optional<std::uint64_t>& id, const Error& error);
std::string encode_progress(const nlohmann::json& fields);
std::string encode_event(const nlohmann::json& fields);

// A line that the daemon sent. protocol: anything else than the four above.
struct ControlLine {
  enum class Kind { progress, event, result, error };
  Kind kind = Kind::error;
  std::unique_ptr<nlohmann::json> body;  // of progress, event and result
  Error error;                           // of error
  ControlLine();
  ControlLine(ControlLine&&) noexcept;
  ControlLine& operator=(ControlLine&&) noexcept;
  ~ControlLine();
};
Result<ControlLine> decode_line(std::string_view line);

}  // namespace ccr::engine
