#include "storage/sqlite/sqlite_source.h"

#include <sqlite3.h>

#include <asio/post.hpp>

#include <algorithm>
#include <thread>
#include <utility>

#include "base/signal.h"
#include "storage/sqlite/sqlite_worker.h"

namespace ccr::storage {
namespace {

using namespace sqlite;

// Posts of the worker may run after the source has gone: they hold this, not the source.
struct Doorbell {
  explicit Doorbell(const Executor& engine) : executor(engine), signal(engine) {}
  Executor executor;
  Signal signal;
};

std::function<void()> ringer_of(const std::shared_ptr<Doorbell>& doorbell) {
  return [doorbell] { asio::post(doorbell->executor, [doorbell] { doorbell->signal.notify(); }); };
}

class SqliteSource final : public LogSource {
 public:
  SqliteSource(Executor engine, Clock& clock, SqliteSourceOptions options)
      : doorbell_(std::make_shared<Doorbell>(engine)),
        channel_(ringer_of(doorbell_), [this] { watch_.wake(); }),
        worker_(worker_options(options), clock, channel_, watch_, facts_),
        thread_([this] { worker_.run(); }) {}

  ~SqliteSource() override {
    channel_.stop();
    if (thread_.joinable()) thread_.join();
  }

  std::uint32_t page_size() const override { return facts_.page_size.load(); }

  Task<Result<SourceItem>> next() override {
    CCR_ASSERT(images_left_ == 0);
    Result<SourcePiece> piece = co_await take();
    if (!piece.ok()) co_return piece.error();
    co_return item_of(*piece);
  }

  Task<Result<std::span<const Page>>> next_pages() override {
    CCR_ASSERT(images_left_ > 0);
    if (batch_taken_) {
      Result<SourcePiece> piece = co_await take();
      if (!piece.ok()) co_return piece.error();
      if (auto* error = std::get_if<Error>(&*piece)) {  // the rest of the commit cannot be had
        failure_ = *error;
        images_left_ = 0;
        co_return *error;
      }
      batch_ = std::move(std::get<ImageBatch>(*piece));
    }
    batch_taken_ = true;
    CCR_ASSERT(!batch_.pages.empty() && batch_.pages.size() <= images_left_);
    const std::size_t page_size = batch_.bytes / batch_.pages.size();
    pages_.clear();
    for (const PageNumber page : batch_.pages) pages_.push_back({page, ByteView(batch_.images.get() + pages_.size() * page_size, page_size)});
    images_left_ -= static_cast<std::uint32_t>(pages_.size());
    co_return std::span<const Page>(pages_);
  }

  bool ready() const override { return channel_.queued_bytes() > 0; }

  // Nothing is held for the log's sake: what is captured and then lost in a crash is found again in the WAL, or by digests.
  void settled(const SourceCursor&) override {}

  void read_pages(std::uint64_t request, PageNumber first, std::uint32_t count) override {
    channel_.request(ReadRequest{request, first, count});
  }
  void catch_up(std::vector<PageNumber> pages) override { channel_.request(RejoinRequest{losses_, false, std::move(pages)}); }
  void part() override { channel_.request(PartRequest{}); }
  void base() override { channel_.request(RejoinRequest{losses_, true, {}}); }

  Gauges gauges() const override {
    Gauges gauges;
    gauges.wal_bytes = facts_.wal_bytes.load();
    gauges.uncaptured_bytes = facts_.uncaptured_bytes.load() + channel_.queued_bytes();
    const std::int64_t queued = channel_.oldest().nanoseconds;  // in the order of commits: what is queued is older
    const std::int64_t since = queued != 0 ? queued : facts_.behind_since.load();
    if (since != 0) gauges.lag_seconds = std::max(0.0, std::chrono::duration<double>(worker_now() - Instant{since}).count());
    return gauges;
  }

  Task<void> close() override {
    channel_.stop();
    while (!channel_.worker_ended()) co_await doorbell_->signal.wait();
    if (thread_.joinable()) thread_.join();
  }

 private:
  static SqliteWorker::Options worker_options(const SqliteSourceOptions& options) {
    SqliteWorker::Options worker;
    worker.path = options.path;
    worker.wal_limit_bytes = options.wal_limit_bytes;
    worker.wal_budget_bytes = options.wal_budget_bytes;
    if (options.cursor) worker.cursor = decode_cursor(*options.cursor);
    return worker;
  }

  Result<SourceItem> item_of(SourcePiece& piece) {
    if (const auto* error = std::get_if<Error>(&piece)) {
      failure_ = *error;
      return *error;
    }
    if (auto* pages = std::get_if<SourcePages>(&piece)) return SourceItem(std::move(*pages));
    if (auto* standing = std::get_if<SourceStanding>(&piece)) {
      if (standing->kind == SourceStanding::Kind::lost) ++losses_;
      return SourceItem(std::move(*standing));
    }
    if (auto* parted = std::get_if<SourceParted>(&piece)) return SourceItem(std::move(*parted));
    batch_ = std::move(std::get<ImageBatch>(piece));
    CCR_ASSERT(batch_.head.has_value());
    images_left_ = batch_.head->images;
    batch_taken_ = batch_.pages.empty();
    return SourceItem(*batch_.head);
  }

  Task<Result<SourcePiece>> take() {
    for (;;) {
      if (failure_) co_return *failure_;
      if (channel_.stopped()) co_return Error{ErrorKind::stopped, "the source was closed", ""};
      std::optional<SourcePiece> piece = channel_.take();
      if (piece) co_return std::move(*piece);
      co_await doorbell_->signal.wait();
    }
  }

  std::shared_ptr<Doorbell> doorbell_;
  WalWatch watch_;
  SqliteWorker::Facts facts_;
  SourceChannel channel_;
  SqliteWorker worker_;
  ImageBatch batch_;  // of the commit under way
  bool batch_taken_ = true;
  std::vector<Page> pages_;  // of the batch, as they were handed out
  std::uint32_t images_left_ = 0;
  std::uint64_t losses_ = 0;  // standings `lost` that next() has handed out
  std::optional<Error> failure_;
  std::thread thread_;  // last: it uses all of the above
};

constexpr int fixed_sqlite_version = 3051003;

}  // namespace

std::unique_ptr<LogSource> open_sqlite_source(Executor engine, Clock& clock, SqliteSourceOptions options) {
  return std::make_unique<SqliteSource>(std::move(engine), clock, std::move(options));
}

std::string sqlite_warning() {
  if (::sqlite3_libversion_number() >= fixed_sqlite_version) return "";
  return std::string("SQLite ") + ::sqlite3_libversion() +
         " is older than 3.51.3: its WAL-reset bug can corrupt a database when two checkpoints and a commit meet. ccr runs no checkpoint; "
         "check the SQLite version of the applications";
}

}  // namespace ccr::storage
