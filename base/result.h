// Result carries either a value or an Error. Operating errors are values; only stopping (cancellation) unwinds as an
// exception, see base/task.h. Each kind is translated once, at the seam that met it, and decided upon by kind, never by text.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace ccr {

enum class ErrorKind {
  not_found,     // a file, a database, a copy, a node that is not there
  exists,        // it is there already
  io,            // EIO and everything a disk says that has no name of its own here
  no_space,      // ENOSPC, EDQUOT
  read_only,     // EROFS, EACCES, EPERM
  corrupt,       // bytes that fail their check, at rest or in flight
  gap,           // a generation or a position that should be there and is not
  diverged,      // same number, other bytes: two histories
  identity,      // a wrong, foreign or swapped directory, file or peer
  protocol,      // a peer that breaks the rules of transport/README.md
  disconnected,  // the connection ended
  unreachable,   // no connection could be made
  timeout,       // waited too long
  refused,       // a safety rule says no; nothing was changed
  unsupported,   // a version, a mode or a feature that this build does not serve
  config,        // the configuration is wrong
  usage,         // the request is wrong
  busy,          // somebody else has it; try again
  full,          // a bound of ours on what is kept was reached; nothing was changed, and a person has to make room
  stopped,       // the component was stopped
};

const char* name_of(ErrorKind kind) noexcept;

// message: what failed, on what, expected and found. hint: the command or step that helps; may be empty.
struct Error {
  ErrorKind kind = ErrorKind::io;
  std::string message;
  std::string hint;

  // The same error with where it happened put in front.
  Error within(const std::string& context) const { return {kind, context + ": " + message, hint}; }
};

inline Error refused(std::string message, std::string hint = "") { return {ErrorKind::refused, std::move(message), std::move(hint)}; }

// An Error elsewhere, so that a Result that holds none is small and moves for next to nothing; it is copied with its content.
class ErrorBox {
 public:
  ErrorBox() = default;
  explicit ErrorBox(Error error) : error_(std::make_unique<Error>(std::move(error))) {}
  ErrorBox(const ErrorBox& other) : error_(other.error_ ? std::make_unique<Error>(*other.error_) : nullptr) {}
  ErrorBox(ErrorBox&&) noexcept = default;
  ErrorBox& operator=(ErrorBox other) noexcept {
    error_ = std::move(other.error_);
    return *this;
  }
  ~ErrorBox() = default;

  bool empty() const noexcept { return error_ == nullptr; }
  const Error& get() const { CCR_ASSERT(!empty()); return *error_; }

 private:
  std::unique_ptr<Error> error_;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  T& value() & { CCR_ASSERT(ok()); return std::get<0>(state_); }
  const T& value() const& { CCR_ASSERT(ok()); return std::get<0>(state_); }
  T&& value() && { CCR_ASSERT(ok()); return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const { CCR_ASSERT(!ok()); return std::get<1>(state_).get(); }

 private:
  std::variant<T, ErrorBox> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const noexcept { return error_.empty(); }
  explicit operator bool() const noexcept { return ok(); }
  const Error& error() const { return error_.get(); }

 private:
  ErrorBox error_;
};

}  // namespace ccr
