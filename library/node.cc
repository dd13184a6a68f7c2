#include "library/node.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include "engine/embedded_store.h"
#include "tools/daemon.h"

namespace ccr::library {
namespace {

Reason reason_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::usage: return Reason::usage;
    case ErrorKind::config: return Reason::config;
    case ErrorKind::not_found: return Reason::not_found;
    case ErrorKind::unreachable: return Reason::not_active;
    case ErrorKind::no_space: return Reason::no_space;
    case ErrorKind::refused: return Reason::refused;
    case ErrorKind::busy: return Reason::busy;
    case ErrorKind::timeout: return Reason::timeout;
    case ErrorKind::stopped: return Reason::closed;
    default: return Reason::failed;
  }
}

Outcome outcome_of(const Error& error) { return {reason_of(error.kind), error.message, error.hint}; }

Outcome outcome_of(const Result<void>& result) { return result.ok() ? Outcome{} : outcome_of(result.error()); }

const Outcome closed{Reason::closed, "the node does not run", ""};

class CallbackTrace final : public Trace {
 public:
  explicit CallbackTrace(std::function<void(const Event&)> told) : told_(std::move(told)) {}
  void record(const ccr::Event& event) override {
    if (told_) told_(Event{event.name, event.subject, event.fields});
  }

 private:
  std::function<void(const Event&)> told_;
};

// Answers exactly once, whatever becomes of the call.
class Answer {
 public:
  explicit Answer(std::function<void(Outcome)> done) : done_(std::move(done)) {}
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  ~Answer() { give(closed); }
  void give(Outcome outcome) {
    const std::function<void(Outcome)> done = std::exchange(done_, nullptr);
    if (done) done(std::move(outcome));
  }

 private:
  std::function<void(Outcome)> done_;
};

// What a caller's thread waits on.
class Waiting {
 public:
  void give(Outcome outcome) {
    const std::lock_guard lock(mutex_);
    if (!outcome_) outcome_ = std::move(outcome);
    given_.notify_all();
  }
  Outcome wait() {
    std::unique_lock lock(mutex_);
    given_.wait(lock, [this] { return outcome_.has_value(); });
    return *outcome_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable given_;
  std::optional<Outcome> outcome_;
};

}  // namespace

const char* name_of(Reason reason) noexcept {
  switch (reason) {
    case Reason::none: return "none";
    case Reason::usage: return "usage";
    case Reason::config: return "config";
    case Reason::not_found: return "not_found";
    case Reason::not_active: return "not_active";
    case Reason::no_space: return "no_space";
    case Reason::refused: return "refused";
    case Reason::busy: return "busy";
    case Reason::timeout: return "timeout";
    case Reason::closed: return "closed";
    case Reason::failed: return "failed";
  }
  return "unknown";
}

// One run of the node, on its thread. `open_` says whether calls are taken: it and the posting of a call are under one lock, so every call that was
// taken stands in the context's queue before the end of it.
class Node::Life {
 public:
  Life(tools::DaemonSetup setup, std::function<void(const Event&)> told)
      : trace_(std::move(told)), daemon_(context_, std::move(setup), trace_), thread_([this] { run(); }) {}
  ~Life() { static_cast<void>(stop()); }

  Outcome wait_started() { return started_.wait(); }
  bool open() const {
    const std::lock_guard lock(mutex_);
    return open_;
  }
  Outcome stop();

  using Work = std::function<Task<Result<void>>(engine::Node&, Clock&)>;
  void call(Work work, std::shared_ptr<Answer> answer);
  void read_configuration();

 private:
  void run();
  bool post(std::function<void()> step);  // false: it has ended
  static Task<Result<void>> announce(Life& life);
  struct Call {
    Work work;
    std::shared_ptr<Answer> answer;
  };
  void begin_calls();
  static Task<Result<void>> answer(Life& life, Task<Result<void>> work, std::shared_ptr<Answer> answer);
  static Task<void> keep(Life& life, Task<Result<void>> task) { life.outcome_ = outcome_of(co_await std::move(task)); }

  mutable std::mutex mutex_;
  bool open_ = true;
  Waiting started_;
  Outcome outcome_;               // of the node's thread until it ended
  engine::Node* node_ = nullptr;  // these two: of the node's thread, while it runs
  TaskGroup* group_ = nullptr;
  // As many as share a sync; a group of tasks, and who waits for room in the store, cost more for each with their number.
  static constexpr std::size_t calls_max = 256;
  std::deque<Call> waiting_;
  std::size_t calls_ = 0;
  asio::io_context context_;
  CallbackTrace trace_;
  tools::Daemon daemon_;
  std::thread thread_;
};

Task<Result<void>> Node::Life::announce(Life& life) {
  life.started_.give({});
  co_return Result<void>();
}

Task<Result<void>> Node::Life::answer(Life& life, Task<Result<void>> work, std::shared_ptr<Answer> answer) {
  struct Ended {
    Life& life;
    ~Ended() {
      --life.calls_;
      life.begin_calls();
    }
  } leaving{life};
  const Result<void> ended = co_await std::move(work);
  answer->give(outcome_of(ended));
  co_return Result<void>();
}

void Node::Life::run() {
  const auto beside = [this](engine::Node& node, TaskGroup& group) {
    node_ = &node;
    group_ = &group;
    group.spawn(announce(*this));
  };
  asio::co_spawn(context_, keep(*this, daemon_.run(beside)), [this](std::exception_ptr failure) {
    CCR_ASSERT(!failure);
    node_ = nullptr;
    group_ = nullptr;
    waiting_.clear();
    const std::lock_guard lock(mutex_);
    open_ = false;
    asio::post(context_, [this] { context_.stop(); });  // behind every call that was taken; the disk may still watch its ring
  });
  context_.run();
  started_.give(outcome_ ? closed : outcome_);  // where it never got there
}

bool Node::Life::post(std::function<void()> step) {
  const std::lock_guard lock(mutex_);
  if (open_) asio::post(context_, std::move(step));
  return open_;
}

void Node::Life::call(Work work, std::shared_ptr<Answer> answer) {
  const auto step = [this, work = std::move(work), answer] {
    if (group_ == nullptr || group_->stopping()) return;  // the answer says closed
    waiting_.push_back({work, answer});
    begin_calls();
  };
  post(step);
}

void Node::Life::begin_calls() {
  while (calls_ < calls_max && !waiting_.empty() && group_ != nullptr && !group_->stopping()) {
    const Call call = std::move(waiting_.front());
    waiting_.pop_front();
    ++calls_;
    group_->spawn(answer(*this, call.work(*node_, daemon_.clock()), call.answer), TaskGroup::OnError::keep_others);
  }
}

void Node::Life::read_configuration() {
  post([this] {
    if (group_ != nullptr) group_->spawn(daemon_.read_again(), TaskGroup::OnError::keep_others);
  });
}

Outcome Node::Life::stop() {
  post([this] {
    if (group_ != nullptr) group_->stop();
  });
  if (thread_.joinable()) thread_.join();
  return outcome_;
}

Node::Node() = default;
Node::~Node() = default;

Outcome Node::start(Options options) {
  if (life_) return {Reason::usage, "start: this node was started before", "make another Node"};
  Result<tools::DaemonSetup> setup = tools::Daemon::prepare(options.config_file, options.node);
  if (!setup.ok()) return outcome_of(setup.error());
  life_ = std::make_unique<Life>(std::move(*setup), std::move(options.on_event));
  Outcome started = life_->wait_started();
  if (!started) life_.reset();
  return started;
}

Outcome Node::stop() { return life_ ? life_->stop() : Outcome{}; }

bool Node::running() const { return life_ && life_->open(); }

void Node::read_configuration() {
  if (life_) life_->read_configuration();
}

namespace {

Task<Result<void>> commit_pages(engine::Node& node, Clock& clock, std::string database, std::vector<engine::PageWrite> pages) {
  engine::EmbeddedStore store(node, clock, std::move(database));
  co_return co_await store.commit(std::move(pages));
}

Task<Result<void>> read_pages(engine::Node& node, Clock& clock, std::string database, std::uint32_t first, std::uint32_t count, std::shared_ptr<Pages> read) {
  engine::EmbeddedStore store(node, clock, std::move(database));
  Result<engine::EmbeddedStore::Pages> pages = co_await store.read(first, count);
  if (!pages.ok()) co_return pages.error();
  read->page_size = pages->page_size;
  read->page_count = pages->page_count;
  read->images = std::move(pages->images);
  co_return Result<void>();
}

Task<Result<void>> wait_served(engine::Node& node, Clock& clock, std::string database, Duration limit) {
  engine::EmbeddedStore store(node, clock, std::move(database));
  co_return co_await store.wait_until_served(limit);
}

// Runs `call` with an answer that the caller's thread then waits for.
template <class Call>
Outcome answered(Call call) {
  auto waiting = std::make_shared<Waiting>();
  call(std::make_shared<Answer>([waiting](Outcome outcome) { waiting->give(std::move(outcome)); }));
  return waiting->wait();
}

}  // namespace

void Node::commit(const std::string& database, std::vector<Page> pages, std::function<void(Outcome)> done) {
  auto answer = std::make_shared<Answer>(std::move(done));
  if (!life_) return;
  auto writes = std::make_shared<std::vector<engine::PageWrite>>();
  writes->reserve(pages.size());
  for (Page& page : pages) writes->push_back({page.number, std::move(page.image)});
  life_->call([database, writes](engine::Node& node, Clock& clock) { return commit_pages(node, clock, database, std::move(*writes)); }, answer);
}

Outcome Node::commit(const std::string& database, std::vector<Page> pages) {
  auto waiting = std::make_shared<Waiting>();
  commit(database, std::move(pages), [waiting](Outcome outcome) { waiting->give(std::move(outcome)); });
  return waiting->wait();
}

Outcome Node::read(const std::string& database, std::uint32_t first, std::uint32_t count, Pages& pages) {
  if (!life_) return closed;
  auto read = std::make_shared<Pages>();
  Outcome outcome = answered([&](std::shared_ptr<Answer> answer) {
    life_->call([=](engine::Node& node, Clock& clock) { return read_pages(node, clock, database, first, count, read); }, std::move(answer));
  });
  if (outcome) pages = std::move(*read);
  return outcome;
}

Outcome Node::wait_active(const std::string& database, std::chrono::milliseconds limit) {
  if (!life_) return closed;
  return answered([&](std::shared_ptr<Answer> answer) {
    life_->call([=](engine::Node& node, Clock& clock) { return wait_served(node, clock, database, limit); }, std::move(answer));
  });
}

}  // namespace ccr::library
