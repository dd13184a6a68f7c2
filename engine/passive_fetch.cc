// How a passive copy gives log away, and fetches what it lacks from another one.
#include <utility>

#include "base/timeout.h"
#include "engine/log_fetch.h"
#include "engine/passive_copy.h"
#include "engine/passive_files.h"

namespace ccr::engine {

struct PassiveCopy::Fetch {
  std::string node;
  std::optional<Result<void>> ended;
};

std::optional<LogHeld> PassiveCopy::log_held() const {
  if (log_service() == nullptr) return std::nullopt;
  const storage::CopyState& state = keeper_.state();
  return LogHeld{{paths_.log_directory, state.signature, state.page_size}, files_->log->inspected()};
}

TaskGroup* PassiveCopy::log_service() const { return files_ && keeper_.state().seeded && !leaving_ ? phase_ : nullptr; }

Position PassiveCopy::end_of_received() const {
  const transport::Watermarks marks = watermarks();
  return marks.inspected.known() ? marks.inspected : state().durable;
}

// Its files are open, as far as its phase has them.
bool PassiveCopy::settled() const { return opened_ && (follows() || (phase_ != nullptr && next_phase() != Phase::follow)); }

bool PassiveCopy::follows() const { return files_ && files_->replayer && phase_ != nullptr && !leaving_; }

Task<Result<Position>> PassiveCopy::fetch_log(std::string node) {
  const std::string subject = subject_of(database_, context_.config.node);
  if (!follows()) co_return Error{ErrorKind::stopped, subject + " is " + std::string(title_of(standing_.state())) + ": it fetches no log", ""};
  if (connected_ || fetch_) co_return Error{ErrorKind::busy, subject + " still takes log from elsewhere", ""};
  const auto fetch = std::make_shared<Fetch>();
  fetch->node = std::move(node);
  fetch_ = fetch;
  changed_.notify();
  const auto over = [this, fetch] { return fetch->ended.has_value() || !follows(); };
  while (!over()) co_await changed_.wait();
  if (fetch_ == fetch) fetch_.reset();
  if (!fetch->ended) co_return Error{ErrorKind::stopped, subject + " was stopped while it fetched log", ""};
  if (!fetch->ended->ok()) co_return fetch->ended->error();
  co_return files_->log->inspected();
}

// Between two log connections, so that nobody else writes the log. An error is one of the own disk, and ends the phase.
Task<Result<void>> PassiveCopy::fetch_now() {
  const std::shared_ptr<Fetch> fetch = fetch_;
  const Result<void> ended = co_await fetch_from(fetch->node);
  fetch->ended = ended;
  if (fetch_ == fetch) fetch_.reset();
  changed_.notify();
  if (!ended.ok() && files_->log->failed()) co_return ended.error();
  co_return Result<void>();
}

Task<Result<void>> PassiveCopy::fetch_from(std::string node) {
  Result<transport::Hello> hello = co_await log_hello(true);
  if (!hello.ok()) co_return hello.error();
  hello->purpose = transport::Purpose::fetch;
  const Result<PeerSession> session = co_await connect_to_active(context_, node, std::move(*hello));
  if (!session.ok()) co_return session.error();
  const transport::Welcome& welcome = session->welcome;
  const bool follows_here = welcome.verdict == transport::Verdict::behind || welcome.verdict == transport::Verdict::same;
  if (!follows_here)
    co_return Error{ErrorKind::diverged, "the log of " + subject_of(database_, node) + " does not follow the one here: " + transport::name_of(welcome.verdict), ""};
  std::function<void()> grew = [this] { log_durable(); };
  co_return co_await receive_log(context_, *session->connection, *files_->log, welcome.durable, std::move(grew));
}

}  // namespace ccr::engine
