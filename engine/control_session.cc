#include "engine/control_session.h"

#include <system_error>

#include <asio/buffer.hpp>
#include <asio/redirect_error.hpp>
#include <asio/write.hpp>
#include <nlohmann/json.hpp>

#include "base/timeout.h"

namespace ccr::engine {
namespace {

using namespace std::chrono_literals;

constexpr Duration request_wait_max = 10s;  // a person types nothing here: programs send at once
constexpr Duration send_wait_max = 10s;

Error translated(const asio::error_code& failure) {
  if (failure == asio::error::operation_aborted) throw std::system_error(failure);
  return {ErrorKind::disconnected, "control client: " + failure.message(), ""};
}

}  // namespace

ControlSession::ControlSession(Socket socket, Clock& clock, ControlHandler& handler)
    : socket_(std::move(socket)), clock_(clock), handler_(handler) {}

Task<Result<void>> ControlSession::run() {
  for (;;) {
    std::string what = "a request";
    Task<Result<std::string>> reading = read_line();
    const Result<std::string> line = co_await with_timeout(clock_, request_wait_max, std::move(what), std::move(reading));
    if (!line && line.error().kind != ErrorKind::usage) co_return Result<void>();  // gone or silent: nobody to tell
    Result<ControlRequest> request = line ? ControlRequest::parse(*line) : Result<ControlRequest>(line.error());
    if (!request) {
      std::string refusal = encode_error(std::nullopt, request.error());
      co_return co_await send(std::move(refusal));
    }
    const Result<void> answered = co_await answer(std::move(*request));
    if (!answered) co_return Result<void>();
  }
}

Task<Result<std::string>> ControlSession::read_line() {
  for (;;) {
    const std::size_t end = received_.find('\n');
    if (end < control_request_bytes_max) {  // npos is above it
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      co_return line;
    }
    if (received_.size() >= control_request_bytes_max) {
      co_return Error{ErrorKind::usage, "a request line is at most " + std::to_string(control_request_bytes_max) + " bytes", ""};
    }
    CCR_CO_TRY(co_await read_more());
  }
}

Task<Result<void>> ControlSession::read_more() {
  asio::error_code failure;
  const asio::mutable_buffer into = asio::buffer(piece_);
  const std::size_t count = co_await socket_.async_read_some(into, asio::redirect_error(asio::use_awaitable, failure));
  received_.append(piece_.data(), count);
  if (failure) co_return translated(failure);
  co_return Result<void>();
}

Task<Result<void>> ControlSession::write(std::string line) {
  line += '\n';
  asio::error_code failure;
  const asio::const_buffer from = asio::buffer(line);
  co_await asio::async_write(socket_, from, asio::redirect_error(asio::use_awaitable, failure));
  if (failure) co_return translated(failure);
  co_return Result<void>();
}

Task<Result<void>> ControlSession::send(std::string line) {
  std::string what = "an answer to a control client";
  Task<Result<void>> writing = write(std::move(line));
  const Result<void> sent = co_await with_timeout(clock_, send_wait_max, std::move(what), std::move(writing));
  if (!sent) socket_.close();  // a line may be cut: nothing may follow it
  co_return sent;
}

Task<Result<void>> ControlSession::progress(nlohmann::json fields) {
  std::string line = encode_progress(fields);
  co_return co_await send(std::move(line));
}

Task<Result<void>> ControlSession::event(nlohmann::json fields) {
  std::string line = encode_event(fields);
  co_return co_await send(std::move(line));
}

Task<Result<void>> ControlSession::answer(ControlRequest request) {
  const Executor executor = co_await asio::this_coro::executor;
  std::string outcome;
  TaskGroup group(executor);
  group.spawn(settle(std::move(request), outcome, group));
  group.spawn(watch_client(group));
  CCR_CO_TRY(co_await group.join());
  if (outcome.empty()) co_return Error{ErrorKind::disconnected, "the control client left", ""};
  co_return co_await send(std::move(outcome));
}

Task<Result<void>> ControlSession::settle(ControlRequest request, std::string& outcome, TaskGroup& group) {
  const std::optional<std::uint64_t> id = request.id();
  const Result<nlohmann::json> result = co_await handler_.handle(std::move(request), *this);
  outcome = result ? encode_result(id, *result) : encode_error(id, result.error());
  group.stop();
  co_return Result<void>();
}

// Reads ahead until the client closes its half, then waits for the other half: the kernel reports that as an error condition.
Task<Result<void>> ControlSession::watch_client(TaskGroup& group) {
  bool reading = true;
  while (reading && received_.size() < control_request_bytes_max) {
    const Result<void> more = co_await read_more();
    reading = more.ok();
  }
  asio::error_code failure;
  co_await socket_.async_wait(Socket::wait_error, asio::redirect_error(asio::use_awaitable, failure));
  if (failure == asio::error::operation_aborted) throw std::system_error(failure);
  group.stop();
  co_return Result<void>();
}

}  // namespace ccr::engine
