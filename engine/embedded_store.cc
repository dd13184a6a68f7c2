#include "engine/embedded_store.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace ccr::engine {
namespace {

// What a caller waits for, and the work in the active copy's group answers: either may be gone before the other.
template <class T>
struct Asked {
  explicit Asked(const Executor& executor) : done(executor) {}
  std::optional<Result<T>> answer;
  bool ended = false;
  Signal done;
};

template <class T>
Task<Result<void>> answer(std::shared_ptr<Asked<T>> asked, Task<Result<T>> work) {
  struct Ended {
    Asked<T>& asked;
    ~Ended() {
      asked.ended = true;
      asked.done.notify();
    }
  } ended{*asked};
  asked->answer = co_await std::move(work);
  co_return Result<void>();
}

// Nullopt: the copy's life ended before.
template <class T>
Task<std::optional<Result<T>>> in_life_of(ActiveCopy& active, Task<Result<T>> work) {
  auto asked = std::make_shared<Asked<T>>(active.context().executor);
  if (active.group().stopping()) co_return std::nullopt;
  active.group().spawn(answer<T>(asked, std::move(work)), TaskGroup::OnError::keep_others);
  while (!asked->ended) co_await asked->done.wait();
  co_return std::move(asked->answer);
}

Task<Result<void>> commit_to(PageStore& store, std::vector<PageWrite> pages) { co_return co_await store.commit(std::move(pages)); }

// The page file trails the log.
Task<Result<EmbeddedStore::Pages>> read_from(ActiveCopy& active, PageNumber first, std::uint32_t count) {
  const Position answered = active.tip().durable;
  if (active.replayed() < answered) active.hurry();
  while (active.replayed() < answered) co_await active.replay_changed().wait();
  const Result<ActiveCopy::PagesRead> read = co_await active.read(first, count);
  if (!read.ok()) co_return read.error();
  EmbeddedStore::Pages pages;
  pages.page_size = active.digests().page_size();
  pages.page_count = read->page_count;
  const ByteView images = read->images.view().first(std::size_t(read->count) * pages.page_size);
  pages.images.assign(images.begin(), images.end());
  co_return std::move(pages);
}

}  // namespace

Result<ActiveCopy*> EmbeddedStore::serving() const {
  Hosted* hosted = node_.find(database_);
  const std::string& own = node_.config().node;
  if (hosted == nullptr) return Error{ErrorKind::not_found, "node " + own + " has no database '" + database_ + "'", "ccr status shows what it has"};
  if (hosted->config.kind != DatabaseKind::pages)
    return Error{ErrorKind::refused, database_ + " is an SQLite database", "its programs use it as always; this is for kind = \"pages\""};
  if (!hosted->conflict.empty()) return conflict_of(*hosted);
  const std::string& active = hosted->wanted ? hosted->wanted->active : hosted->config.copies.front();
  if (active != own)
    return Error{ErrorKind::unreachable, "the active copy of " + database_ + " is on " + active, "commit there, or bring it here: ccr move " + database_ + " --to " + own};
  if (hosted->active && hosted->active->ready()) return hosted->active.get();
  const std::string subject = subject_of(hosted->config, own);
  if (hosted->ended) return hosted->ended->within(subject + " is not mounted");
  return Error{ErrorKind::busy, subject + " is still starting", "try again in a moment; ccr status shows its state"};
}

Task<Error> EmbeddedStore::end_of_life() const {
  constexpr Duration look_again = std::chrono::milliseconds(5);
  const Instant end = clock_.now() + end_limit;
  for (;;) {
    const Result<ActiveCopy*> now = serving();
    if (!now.ok() && now.error().kind != ErrorKind::busy) co_return now.error();
    const bool serves_again = now.ok() && !(*now)->group().stopping();
    if (serves_again || clock_.now() >= end) break;
    co_await clock_.sleep(look_again);
  }
  co_return Error{ErrorKind::stopped, database_ + " was dismounted meanwhile", "whether it is kept shows when it serves again"};
}

Task<Result<void>> EmbeddedStore::commit(std::vector<PageWrite> pages) {
  const Result<ActiveCopy*> active = serving();
  if (!active.ok()) co_return active.error();
  Task<Result<void>> work = commit_to(*(*active)->store(), std::move(pages));
  const std::optional<Result<void>> answer = co_await in_life_of<void>(**active, std::move(work));
  if (!answer || (!answer->ok() && answer->error().kind == ErrorKind::stopped)) co_return co_await end_of_life();
  co_return *answer;
}

Task<Result<EmbeddedStore::Pages>> EmbeddedStore::read(PageNumber first, std::uint32_t count) {
  const Result<ActiveCopy*> active = serving();
  if (!active.ok()) co_return active.error();
  const std::uint32_t page_size = (*active)->digests().page_size();
  if (first == 0) co_return Error{ErrorKind::usage, "read: pages are numbered from 1", ""};
  if (std::uint64_t(count) * page_size > read_bytes_max)
    co_return Error{ErrorKind::usage, "read: " + std::to_string(count) + " pages, expected at most " + std::to_string(read_bytes_max / page_size), ""};
  Task<Result<Pages>> work = read_from(**active, first, count);
  std::optional<Result<Pages>> answer = co_await in_life_of<Pages>(**active, std::move(work));
  if (!answer) co_return co_await end_of_life();
  co_return std::move(*answer);
}

Task<Result<void>> EmbeddedStore::wait_until_served(Duration limit) {
  constexpr Duration look_again = std::chrono::milliseconds(20);
  const Instant end = clock_.now() + limit;
  for (;;) {
    const Result<ActiveCopy*> active = serving();
    if (active.ok()) co_return Result<void>();
    const ErrorKind kind = active.error().kind;
    if (kind == ErrorKind::not_found || kind == ErrorKind::refused) co_return active.error();
    if (clock_.now() >= end) co_return Error{ErrorKind::timeout, active.error().message, active.error().hint};
    co_await clock_.sleep(look_again);
  }
}

}  // namespace ccr::engine
