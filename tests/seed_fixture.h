// longer because: source, target, link and clock of a seed know each other, and every story needs all four.
// A source whose pages change while it is seeded from, a target on a disk that forgets, a link that is cut, and a clock of their
// own.
#pragma once

#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <optional>

#include "base/random.h"
#include "seed/seed_source.h"
#include "seed/seed_target.h"
#include "tests/memory_network.h"
#include "tests/page_memory_disk.h"

namespace ccr::seed {

// Time passes only when nothing else can happen.
class VirtualClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  WallTime wall_now() const override { return {1 + now_.nanoseconds}; }
  Task<void> sleep_until(Instant at) override {
    const Executor executor = co_await asio::this_coro::executor;
    Signal woken(executor);
    const auto place = sleepers_.emplace(at, &woken);
    const Sleeper sleeper{sleepers_, place};
    while (now_ < at) co_await woken.wait();
  }
  bool advance() {
    if (sleepers_.empty()) return false;
    now_ = std::max(now_, sleepers_.begin()->first);
    for (auto& [at, signal] : sleepers_) {
      if (at <= now_) signal->notify();
    }
    return true;
  }

 private:
  using Sleepers = std::multimap<Instant, Signal*>;
  struct Sleeper {
    Sleepers& sleepers;
    Sleepers::iterator place;
    ~Sleeper() { sleepers.erase(place); }
  };
  Sleepers sleepers_;
  Instant now_{1'000'000'000};
};

template <class T>
Task<void> keep_result(Task<T> task, std::optional<T>& result) {
  result.emplace(co_await std::move(task));
}

// Runs a task to its end; time moves when nothing else does, and a task that waits for nothing that can come is a failure.
template <class T>
std::optional<T> run_virtual(asio::io_context& context, VirtualClock& clock, Task<T> task) {
  std::optional<T> result;
  bool ended = false;
  asio::co_spawn(context, keep_result(std::move(task), result), [&](std::exception_ptr failure) {
    EXPECT_EQ(failure, nullptr);
    ended = true;
  });
  for (int idle = 0; !ended && idle < 1'000'000; ++idle) {
    context.restart();
    if (context.poll() == 0 && !clock.advance()) break;
  }
  EXPECT_TRUE(ended) << "the task waits for ever";
  return result;
}

// The frames of both directions are counted together; the one after `frames_left` is not written and ends the connection.
struct LinkBudget {
  std::uint64_t frames_left = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t frames = 0;
  std::uint64_t frames_lost_after = std::numeric_limits<std::uint64_t>::max();  // from here on nothing arrives, and nobody is told
};

class CutConnection final : public transport::Connection {
 public:
  CutConnection(std::unique_ptr<transport::Connection> inner, LinkBudget& budget) : inner_(std::move(inner)), budget_(budget) {}
  Task<Result<std::size_t>> read_some(ByteSpan into) override { return inner_->read_some(into); }
  Task<Result<void>> write(std::span<const ByteView> pieces) override {
    if (budget_.frames_left == 0) {
      inner_->close();
      co_return Error{ErrorKind::disconnected, "cut", ""};
    }
    --budget_.frames_left;
    if (++budget_.frames > budget_.frames_lost_after) co_return Result<void>();
    co_return co_await inner_->write(pieces);
  }
  void close() override { inner_->close(); }
  transport::Endpoint peer() const override { return inner_->peer(); }
  transport::ConnectionFacts facts() const override { return {}; }

 private:
  std::unique_ptr<transport::Connection> inner_;
  LinkBudget& budget_;
};

// A database in memory with its log, every change of which has a position.
class FakeSource final : public SeedPages {
 public:
  struct Change {
    Position at;       // where its record starts
    PageNumber count;  // pages after it
    PageNumber page;   // 0: only the length changed
    Bytes image;
  };

  FakeSource(std::uint32_t page_size, PageNumber pages) : page_size_(page_size) { resize(pages); }

  // --- what a test does to it
  void write(PageNumber page, std::uint64_t fill) {
    Bytes image(page_size_);
    if (fill != 0) {
      std::fill(image.begin(), image.end(), std::byte(fill % 255 + 1));
      Encoder(image).u64(fill);
    }
    pages_[page - 1] = image;
    digests_[page - 1] = page_digest(page, image);
    log_.push_back({position_, page_count(), page, std::move(image)});
    step();
  }
  void resize(PageNumber count) {
    const PageNumber before = page_count();
    pages_.resize(count, Bytes(page_size_));
    digests_.resize(count);
    for (PageNumber page = before + 1; page <= count; ++page) digests_[page - 1] = page_digest(page, pages_[page - 1]);
    log_.push_back({position_, count, 0, {}});
    step();
  }
  void fill_with_pages(std::uint64_t seed) {
    for (PageNumber page = 1; page <= page_count(); ++page) write(page, seed + page);
  }
  void rot_table(PageNumber page) { digests_[page - 1] ^= 1; }

  std::function<void()> while_seeding;  // called at every question, before the answer is made
  std::function<void(SeedRead&)> spoil;
  std::optional<Error> read_error;
  bool pin_lost = false;
  bool copy = false;  // another copy of the original: it pins nothing, and stands at P or later

  // --- what a test asks it
  const Bytes& page(PageNumber page) const { return pages_[page - 1]; }
  Digest64 root() const { return sum_of(digests_); }
  const std::vector<Change>& log() const { return log_; }
  Position position() const { return position_; }
  std::uint64_t pages_read = 0;
  std::map<std::uint32_t, int> extents_read;
  std::map<std::string, Position> pins;

  // --- SeedPages
  Task<Result<transport::SeedOffer>> open(std::string node, Position resume_from) override {
    busy();
    const auto pin = pins.find(node);
    const bool pinned = !pin_lost && pin != pins.end() && pin->second == resume_from;
    const bool held = resume_from.known() && (pinned || (copy && resume_from <= position_));
    transport::SeedOffer offer;
    offer.from = held ? resume_from : position_;
    offer.from_commit = held ? 0 : log_.size();
    offer.page_count = page_count();
    offer.page_size = page_size_;
    offer.resumed = held;
    pins[node] = offer.from;
    pin_lost = false;
    co_return offer;
  }
  Task<Result<transport::SeedEnd>> finish(std::string) override { co_return transport::SeedEnd{position_, log_.size()}; }
  Task<Result<void>> release(std::string node) override {
    pins.erase(node);
    co_return Result<void>();
  }
  PageNumber page_count() const override { return static_cast<PageNumber>(pages_.size()); }
  std::uint32_t page_size() const override { return page_size_; }
  Digest64 extent_digest(std::uint32_t extent) const override {
    if (while_seeding) while_seeding();
    const PageRun run = pages_of_extent(extent, page_count(), page_size_);
    return run.count == 0 ? 0 : sum_of(std::span(digests_).subspan(run.first - 1, run.count));
  }
  Digest64 page_digest(PageNumber page) const override { return digests_[page - 1]; }
  Task<Result<SeedRead>> read(PageNumber first, std::uint32_t count) override {
    busy();
    if (read_error) co_return *read_error;
    SeedRead found;
    found.first = first;
    found.page_count = page_count();
    found.count = first > page_count() ? 0 : std::min(count, page_count() - first + 1);
    found.as_of = position_;
    found.images = AlignedBuffer(std::uint64_t(found.count) * page_size_);
    for (std::uint32_t i = 0; i < found.count; ++i) {
      std::copy(page(first + i).begin(), page(first + i).end(), found.images.data() + std::uint64_t(i) * page_size_);
    }
    pages_read += found.count;
    ++extents_read[(first - 1) / storage::pages_per_extent(page_size_)];
    if (spoil) spoil(found);
    co_return found;
  }
  Task<Result<VerifyExtent>> verify(std::uint32_t extent) override {
    VerifyExtent found;
    found.as_of = position_;
    found.page_count = page_count();
    const PageRun run = pages_of_extent(extent, page_count(), page_size_);
    for (std::uint32_t i = 0; i < run.count; ++i) {
      found.disk.push_back(ccr::page_digest(run.first + i, page(run.first + i)));
      found.table.push_back(digests_[run.first + i - 1]);
    }
    co_return found;
  }

 private:
  static Digest64 page_digest(PageNumber page, const Bytes& image) { return ccr::page_digest(page, image); }
  void busy() {
    if (while_seeding) while_seeding();
  }
  void step() {
    position_.offset += 64;
    if (position_.offset < 1 * MiB) return;
    position_ = Position::start_of(position_.generation.next());
  }

  std::uint32_t page_size_;
  std::vector<Bytes> pages_;
  std::vector<Digest64> digests_;
  std::vector<Change> log_;
  Position position_ = Position::start_of({1});
};

// A disk with little room: writes into files beyond `write_limit_bytes` in all find it full.
class SmallDisk final : public storage::Disk {
 public:
  SmallDisk(storage::Disk& inner, const std::uint64_t& free_bytes, std::uint64_t& write_limit_bytes)
      : inner_(inner), free_bytes_(free_bytes), write_limit_bytes_(write_limit_bytes) {}
  Task<Result<std::unique_ptr<storage::File>>> open(std::string path, storage::OpenMode mode) override {
    const bool pages = path == "/copy/db";
    Result<std::unique_ptr<storage::File>> file = co_await inner_.open(std::move(path), mode);
    if (!file.ok() || !pages) co_return file;
    std::unique_ptr<storage::File> limited = std::make_unique<LimitedFile>(std::move(*file), write_limit_bytes_);
    co_return limited;
  }
  Task<Result<void>> make_directories(std::string path) override { return inner_.make_directories(std::move(path)); }
  Task<Result<void>> sync_directory(std::string path) override { return inner_.sync_directory(std::move(path)); }
  Task<Result<void>> rename(std::string from, std::string to) override { return inner_.rename(std::move(from), std::move(to)); }
  Task<Result<void>> remove(std::string path) override { return inner_.remove(std::move(path)); }
  Task<Result<std::vector<storage::DirectoryEntry>>> list(std::string path) override { return inner_.list(std::move(path)); }
  Task<Result<storage::DiskSpace>> space(std::string) override { co_return storage::DiskSpace{free_bytes_, free_bytes_}; }
  std::string_view name() const override { return "small"; }

 private:
  class LimitedFile final : public storage::File {
   public:
    LimitedFile(std::unique_ptr<storage::File> inner, std::uint64_t& left) : inner_(std::move(inner)), left_(left) {}
    Task<Result<std::size_t>> read_at(std::uint64_t offset, ByteSpan into) override { return inner_->read_at(offset, into); }
    Task<Result<void>> write_at(std::uint64_t offset, ByteView from) override {
      if (from.size() > left_) co_return Error{ErrorKind::no_space, "no space left", ""};
      left_ -= from.size();
      co_return co_await inner_->write_at(offset, from);
    }
    Task<Result<void>> sync() override { return inner_->sync(); }
    Task<Result<void>> truncate(std::uint64_t size) override { return inner_->truncate(size); }
    Task<Result<void>> allocate(std::uint64_t size) override { return inner_->allocate(size); }
    Task<Result<std::uint64_t>> size() override { return inner_->size(); }

   private:
    std::unique_ptr<storage::File> inner_;
    std::uint64_t& left_;
  };

  storage::Disk& inner_;
  const std::uint64_t& free_bytes_;
  std::uint64_t& write_limit_bytes_;
};

struct Ends {
  Ends(const Executor& executor, LinkBudget& budget) : Ends(executor, budget, transport::memory_pair(executor, 1 * MiB)) {}
  Ends(const Executor& executor, LinkBudget& budget, transport::MemoryPair pair)
      : here(std::make_unique<transport::FramedConnection>(executor, std::make_unique<CutConnection>(std::move(pair.left), budget))),
        there(std::make_unique<transport::FramedConnection>(executor, std::make_unique<CutConnection>(std::move(pair.right), budget))) {
    here->set_session(7);
    there->set_session(7);
  }
  std::unique_ptr<transport::FramedConnection> here, there;
};

// The streams of a pass besides its first, each from one of some sources in turn, each over a link of its own.
class MoreStreams final : public FurtherStreams {
 public:
  explicit MoreStreams(std::vector<FakeSource*> sources) : sources_(std::move(sources)) {}

  Task<Result<std::unique_ptr<transport::FramedConnection>>> connect(std::size_t number) override {
    ++connected;
    if (refusal) co_return *refusal;
    const Executor executor = co_await asio::this_coro::executor;
    Ends ends(executor, links[number]);
    serving->spawn(serve(std::move(ends.there), *sources_[number % sources_.size()], limits), TaskGroup::OnError::keep_others);
    co_return std::move(ends.here);
  }
  void lost(const Error& error) override { losses.push_back(error); }

  std::map<std::size_t, LinkBudget> links;
  std::optional<Error> refusal;
  std::size_t connected = 0;
  std::vector<Error> losses;
  TaskGroup* serving = nullptr;
  SeedLimits limits;

 private:
  static Task<Result<void>> serve(std::unique_ptr<transport::FramedConnection> connection, FakeSource& source, SeedLimits limits) {
    static_cast<void>(co_await serve_seed(*connection, source, "beta", limits));  // its end is the story of the target
    connection->close();
    co_return Result<void>();
  }

  std::vector<FakeSource*> sources_;
};

// What the engine keeps of a copy, and what it does around a pass.
class FakeCopy final : public SeedObserver {
 public:
  explicit FakeCopy(FakeSource& source) : own_page_size(source.page_size()), source_(source) {}

  Task<Result<void>> pass_opened(const transport::SeedOffer& offer) override {
    if (observer_error) co_return *observer_error;
    ++opened;
    open_pass = offer.from;
    co_return Result<void>();
  }
  Task<Result<void>> pass_resumed(const transport::SeedOffer& offer) override {
    ++resumed;
    EXPECT_EQ(offer.from, open_pass);
    co_return Result<void>();
  }

  int opened = 0, resumed = 0;
  std::uint32_t own_page_size;
  std::optional<Error> observer_error;
  std::uint64_t disk_free_bytes = 1 * GiB;
  std::uint64_t write_limit_bytes = std::numeric_limits<std::uint64_t>::max();
  Position open_pass;
  bool full = false;
  OwnTable own_table = OwnTable::believed;
  SeedLimits limits;
  LinkBudget link;
  MoreStreams* more = nullptr;
  StreamsWanted streams{};
  storage::TokenBucket* rate = nullptr;
  ExtentBudget* budget = nullptr;
  storage::PageMemoryDisk disk;
  VirtualClock clock;
  asio::io_context context;
  SeedCounters counters;
  bool doubtful = false;
  Result<void> served;  // how the source's end ended

  using Script = std::function<transport::Message(const transport::Message& ask)>;

  // One run over one connection.
  Result<SeedOutcome> seed() { return seed_from(nullptr); }
  // The same with somebody else at the other end, who says what the script says.
  Result<SeedOutcome> seed_from(Script script) {
    std::optional<Result<SeedOutcome>> result = run_virtual(context, clock, seed_task(std::move(script)));
    return result ? std::move(*result) : Result<SeedOutcome>(Error{ErrorKind::timeout, "never ended", ""});
  }
  // A run whose owner stops it.
  void seed_stopped_after(Duration duration) {
    const std::optional<Result<void>> result = run_virtual(context, clock, stopped_task(duration));
    EXPECT_TRUE(result && result->ok());
  }
  // The engine's part after a pass: the log from P to the source's present end, over the copy. Then both must be the same, byte for
  // byte.
  void replay_and_compare() {
    const std::optional<Result<void>> result = run_virtual(context, clock, replay_task());
    ASSERT_TRUE(result && result->ok()) << (result && !result->ok() ? result->error().message : "");
    const Bytes content = disk.content("/copy/db");
    ASSERT_EQ(content.size(), std::uint64_t(source_.page_count()) * source_.page_size());
    for (PageNumber page = 1; page <= source_.page_count(); ++page) {
      const ByteView here = ByteView(content).subspan(std::uint64_t(page - 1) * source_.page_size(), source_.page_size());
      ASSERT_EQ(std::memcmp(here.data(), source_.page(page).data(), here.size()), 0) << "page " << page;
    }
  }
  const SeedCounters& live_counters() const { return running_ == nullptr ? counters : running_->counters(); }

  void change_streams(std::size_t number) { if (running_ != nullptr) running_->change_streams(number, number); }

  // Something else asked over a connection of its own.
  Result<void> ask_source(std::function<Task<Result<void>>(transport::FramedConnection&)> body) {
    std::optional<Result<void>> result = run_virtual(context, clock, ask_task(std::move(body)));
    return result ? std::move(*result) : Result<void>(Error{ErrorKind::timeout, "never ended", ""});
  }

 private:
  struct Own {
    std::unique_ptr<storage::PageFile> file;
    std::unique_ptr<storage::PageDigests> digests;
  };

  Task<Result<void>> open_own(Own& own) {
    std::string path = "/copy/db";
    Result<std::unique_ptr<storage::PageFile>> file =
        co_await storage::PageFile::open(small_, path, own_page_size, storage::PageFile::TornTail::cut);
    if (!file.ok()) co_return file.error();
    own.file = std::move(*file);
    own.digests = std::make_unique<storage::PageDigests>(small_, "/copy/digests", own_page_size);
    const Result<void> loaded = co_await own.digests->load();
    if (!loaded.ok() && loaded.error().kind != ErrorKind::not_found) co_return loaded.error();
    co_return Result<void>();
  }

  static Task<Result<void>> play(transport::FramedConnection& connection, Script script) {
    for (;;) {
      const Result<transport::Message> ask = co_await connection.receive();
      if (!ask.ok()) co_return Result<void>();
      const transport::Message answer = script(*ask);
      CCR_CO_TRY(co_await connection.send(answer));
    }
  }

  Task<Result<SeedOutcome>> seed_task(Script script) {
    Own own;
    CCR_CO_TRY(co_await open_own(own));
    const Executor executor = context.get_executor();
    Ends ends(executor, link);
    TaskGroup serving(executor);
    limits.clock = &clock;
    serving.spawn(script ? play(*ends.there, script) : serve_seed(*ends.there, source_, "beta", limits), TaskGroup::OnError::keep_others);
    SeedOptions options{open_pass, full, own_table};
    options.streams = streams;
    options.rate = rate;
    options.budget = budget;
    if (more != nullptr) {
      options.streams.further = more;
      more->serving = &serving;
      more->limits = limits;
    }
    SeedTarget target(clock, small_, "/state", *own.file, *own.digests, *this, options);
    running_ = &target;
    const Result<SeedOutcome> outcome = co_await target.run(*ends.here);
    running_ = nullptr;
    counters = target.counters();
    doubtful = target.disk_doubtful();
    ends.here->close();
    served = co_await serving.join();
    co_return outcome;
  }

  Task<Result<void>> stopped_task(Duration duration) {
    Own own;
    CCR_CO_TRY(co_await open_own(own));
    const Executor executor = context.get_executor();
    Ends ends(executor, link);
    limits.clock = &clock;
    const SeedOptions options{open_pass, full, own_table};
    SeedTarget target(clock, small_, "/state", *own.file, *own.digests, *this, options);
    TaskGroup serving(executor), seeding(executor);
    serving.spawn(serve_seed(*ends.there, source_, "beta", limits));
    seeding.spawn(run_only(target, *ends.here));
    co_await clock.sleep(duration);
    seeding.stop();
    const Result<void> stopped = co_await seeding.join();
    ends.here->close();
    served = co_await serving.join();
    co_return stopped;
  }

  static Task<Result<void>> run_only(SeedTarget& target, transport::FramedConnection& connection) {
    const Result<SeedOutcome> outcome = co_await target.run(connection);
    ADD_FAILURE() << "ended by itself: " << (outcome.ok() ? "ok" : outcome.error().message);
    co_return Result<void>();
  }

  Task<Result<void>> ask_task(std::function<Task<Result<void>>(transport::FramedConnection&)> body) {
    const Executor executor = context.get_executor();
    Ends ends(executor, link);
    TaskGroup serving(executor);
    serving.spawn(serve_seed(*ends.there, source_, "beta", limits));
    const Result<void> result = co_await body(*ends.here);
    ends.here->close();
    served = co_await serving.join();
    co_return result;
  }

  Task<Result<void>> replay_task() {
    Own own;
    CCR_CO_TRY(co_await open_own(own));
    for (const FakeSource::Change& change : source_.log()) {
      if (change.at < open_pass) continue;
      CCR_CO_TRY(co_await own.file->resize(change.count));
      own.digests->resize(change.count);
      if (change.page == 0) continue;
      const ByteView image = change.image;
      CCR_CO_TRY(co_await own.file->write(change.page, image));
      own.digests->set(change.page, page_digest(change.page, image));
    }
    CCR_CO_TRY(co_await own.file->sync());
    CCR_CO_TRY(co_await own.digests->flush());
    EXPECT_EQ(own.digests->root(), source_.root());
    co_return Result<void>();
  }

  FakeSource& source_;
  SmallDisk small_{disk, disk_free_bytes, write_limit_bytes};
  SeedTarget* running_ = nullptr;
};

// Writes random pages, now and then zeros, now and then another length; `chance` in 16 at each call.
inline std::function<void()> churn(FakeSource& source, Random& random, std::uint64_t chance, bool resizes = true) {
  return [&source, &random, chance, resizes] {
    if (!random.chance(chance, 16)) return;
    if (resizes && random.chance(1, 12)) {
      const PageNumber pages = source.page_count();
      source.resize(static_cast<PageNumber>(random.between(pages / 2 + 1, pages + pages / 4 + 1)));
      return;
    }
    const PageNumber page = static_cast<PageNumber>(random.between(1, source.page_count()));
    source.write(page, random.chance(1, 8) ? 0 : random.next());
  };
}

}  // namespace ccr::seed
