#include "tests/sqlite_follower.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "storage/sqlite/wal_format.h"

namespace ccr::storage::test {
namespace {

constexpr std::uint64_t scrub_request = 1U << 20;
constexpr PageNumber scrub_pages = 64;  // an extent of the engine's, of common pages

}  // namespace

Follower::Follower(const std::string& path, Options options, std::optional<SourceCursor> from, Bytes mirror)
    : options_(std::move(options)), mirror_(std::move(mirror)) {
  SqliteSourceOptions source;
  source.path = path;
  source.wal_limit_bytes = options_.wal_limit_bytes;
  source.wal_budget_bytes = options_.wal_budget_bytes;
  source.cursor = from;
  source_ = open_sqlite_source(context_.get_executor(), clock_, source);
  asio::co_spawn(context_, follow(), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
}

void Follower::close() {
  if (!thread_.joinable()) return;
  asio::co_spawn(context_, source_->close(), asio::detached);
  thread_.join();
}

bool Follower::wait(const std::function<bool()>& holds, double seconds) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::duration<double>(seconds), holds);
}

bool Follower::wait_serving(double seconds) {
  return wait([this] { return standing == SourceStanding::Kind::serving; }, seconds);
}

bool Follower::wait_equal(const Bytes& content, double seconds) {
  return wait([&] { return first_difference(content) == 0; }, seconds);
}

PageNumber Follower::difference(const Bytes& content) {
  const std::lock_guard lock(mutex_);
  return first_difference(content);
}

PageNumber Follower::first_difference(const Bytes& content) const {
  if (page_size == 0) return 1;
  const auto ours = static_cast<PageNumber>(mirror_.size() / page_size);
  const auto theirs = static_cast<PageNumber>(content.size() / page_size);
  for (PageNumber page = 1; page <= std::min(ours, theirs); ++page) {
    if (page == sqlite::lock_page(page_size)) continue;
    const std::size_t at = std::size_t(page - 1) * page_size;
    if (std::memcmp(mirror_.data() + at, content.data() + at, page_size) != 0) return page;
  }
  return ours == theirs ? 0 : std::min(ours, theirs) + 1;
}

Bytes Follower::mirror() {
  const std::lock_guard lock(mutex_);
  return mirror_;
}

void Follower::scrub() {
  asio::post(context_, [this] {
    source_->read_pages(scrub_request, scrub_next_, scrub_pages);
    scrub_next_ += scrub_pages;
  });
}

void Follower::part() {
  asio::post(context_, [this] { source_->part(); });
}

std::uint64_t Follower::losses() const {
  return static_cast<std::uint64_t>(std::count_if(reasons.begin(), reasons.end(), [](const std::string& reason) {
    return reason == "first_start" || reason == "wal_gap" || reason == "wal_budget" || reason == "file_replaced";
  }));
}

bool Follower::serves_after(const std::string& reason) const {
  return standing == SourceStanding::Kind::serving && std::count(reasons.begin(), reasons.end(), reason) > 0;
}

Task<void> Follower::follow() {
  for (;;) {
    Result<SourceItem> item = co_await source_->next();
    const bool ok = item.ok();
    if (!ok) {
      const std::lock_guard lock(mutex_);
      error = item.error().message;
      changed_.notify_all();
      co_return;
    }
    if (options_.each_item) options_.each_item();
    if (source_->ready()) {
      const std::lock_guard lock(mutex_);
      ++more_ready;
    }
    if (const auto* commit = std::get_if<SourceCommit>(&*item)) {
      const SourceCommit copy = *commit;
      co_await apply(copy);
    } else if (const auto* pages = std::get_if<SourcePages>(&*item)) {
      take_pages(*pages);
    } else if (const auto* parted = std::get_if<SourceParted>(&*item)) {
      const std::lock_guard lock(mutex_);
      partings.emplace_back(parted->outcome, commits);
    } else {
      take_standing(std::get<SourceStanding>(*item));
    }
    changed_.notify_all();
  }
}

Task<void> Follower::apply(SourceCommit commit) {
  const std::uint32_t size = source_->page_size();
  Images pages;
  while (pages.size() < commit.images) {
    const Result<std::span<const Page>> some = co_await source_->next_pages();
    if (!some.ok()) co_return;
    for (const Page& page : *some) pages.emplace_back(page.number, Bytes(page.image.begin(), page.image.end()));
  }
  const std::lock_guard lock(mutex_);
  page_size = size;
  if (options_.each_image) {
    for (const auto& [number, image] : pages) options_.each_image(number, image);
  } else {
    play(commit.page_count, pages);
  }
  commits += commit.kind == RecordKind::commit ? 1 : 0;
  catch_ups += commit.kind == RecordKind::catch_up ? 1 : 0;
  bases += commit.kind == RecordKind::base_marker ? 1 : 0;
  if (commit.kind == RecordKind::catch_up) last_catch_up_images = commit.images;
  if (commit.kind == RecordKind::commit) largest_commit = std::max(largest_commit, commit.images);
  cursor = commit.cursor;
}

void Follower::play(PageNumber page_count, const Images& pages) {
  // A passive cuts first, so what a shrink drops is zeros when the database grows again.
  mirror_.resize(std::min<std::size_t>(mirror_.size(), std::size_t(page_count) * page_size));
  mirror_.resize(std::size_t(page_count) * page_size);
  for (const auto& [number, image] : pages) {
    if (number == 0 || number > page_count || number == sqlite::lock_page(page_size)) std::abort();
    std::copy(image.begin(), image.end(), mirror_.begin() + static_cast<std::ptrdiff_t>(std::size_t(number - 1) * page_size));
  }
}

void Follower::take_standing(const SourceStanding& said) {
  const std::lock_guard lock(mutex_);
  standing = said.kind;
  reasons.push_back(said.reason);
  if (said.kind != SourceStanding::Kind::lost) return;
  page_size = source_->page_size();
  if (options_.each_image) return source_->base();
  compared_.clear();
  ++compare_;
  ask_for(1);
}

void Follower::ask_for(PageNumber first) {
  source_->read_pages(compare_, first, std::max<std::uint32_t>(1, MiB / page_size));
}

void Follower::take_pages(const SourcePages& pages) {
  const std::lock_guard lock(mutex_);
  std::vector<PageNumber> differing;
  for (std::uint32_t i = 0; i < pages.count; ++i) {
    const std::size_t at = std::size_t(pages.first + i - 1) * page_size;
    const bool same = at + page_size <= mirror_.size() && std::memcmp(mirror_.data() + at, pages.images.data() + std::size_t(i) * page_size, page_size) == 0;
    if (!same) differing.push_back(pages.first + i);
  }
  if (pages.request == scrub_request) {
    ++scrubs;
    if (pages.first + pages.count > pages.page_count) scrub_next_ = 1;
    scrub_differences += differing.size() + (std::size_t(pages.page_count) * page_size == mirror_.size() ? 0 : 1);
    return;
  }
  if (pages.request != compare_ || standing != SourceStanding::Kind::lost) return;
  compared_.insert(compared_.end(), differing.begin(), differing.end());
  if (options_.base_only) take_as_seed(pages);
  if (pages.count > 0 && pages.first + pages.count <= pages.page_count) return ask_for(pages.first + pages.count);
  if (options_.base_only) {
    source_->base();
  } else {
    source_->catch_up(compared_);
  }
}

// The content comes beside the log, before the images of the base marker.
void Follower::take_as_seed(const SourcePages& pages) {
  mirror_.resize(std::size_t(pages.page_count) * page_size);
  std::memcpy(mirror_.data() + std::size_t(pages.first - 1) * page_size, pages.images.data(), pages.images.size());
}

}  // namespace ccr::storage::test
