// Follower plays the engine for one SqliteSource in tests: it keeps a mirror of the database in memory, applies every commit to it, and
// answers a loss as the engine does: reads all pages, compares, asks for a catch-up of those that differ.
#pragma once

#include <asio/io_context.hpp>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/system_clock.h"
#include "storage/sqlite/sqlite_source.h"

namespace ccr::storage::test {

class Follower {
 public:
  struct Options {
    std::uint64_t wal_limit_bytes = SqliteSourceOptions::wal_limit_bytes_default;
    std::uint64_t wal_budget_bytes = 0;
    bool base_only = false;
    std::function<void()> each_item;  // on the engine's thread; may sleep to be a slow engine
    std::function<void(PageNumber, ByteView)> each_image;  // instead of the mirror, which stays empty; a loss is answered by base() at once
  };

  explicit Follower(const std::string& path) : Follower(path, Options()) {}
  Follower(const std::string& path, Options options, std::optional<SourceCursor> from = std::nullopt, Bytes mirror = {});
  ~Follower() { close(); }
  void close();

  // Waits until `holds` does, under the lock; false after `seconds`.
  bool wait(const std::function<bool()>& holds, double seconds = 20);
  bool wait_serving(double seconds = 20);
  // Waits until the mirror holds these bytes; difference() is 0 then, else the first page that differs.
  bool wait_equal(const Bytes& content, double seconds = 20);
  PageNumber difference(const Bytes& content);
  Bytes mirror();
  // Reads the next extent through the source, in the order of its commits; counts the pages that differ from the mirror at that moment.
  void scrub();
  // Asks that programs be kept from the database; `partings` has the answers, and how many commits had come before each.
  void part();
  LogSource::Gauges gauges() const { return source_->gauges(); }

  // Under the lock of wait(), or after close().
  SourceStanding::Kind standing = SourceStanding::Kind::refused;
  std::vector<std::string> reasons;  // of every standing, in order; "" for serving
  std::uint64_t commits = 0;
  std::uint64_t catch_ups = 0;
  std::uint64_t bases = 0;
  std::uint64_t more_ready = 0;  // items behind which another one waited already
  std::uint64_t scrubs = 0;
  std::uint64_t scrub_differences = 0;
  std::uint32_t last_catch_up_images = 0;
  std::uint32_t largest_commit = 0;
  std::uint32_t page_size = 0;
  std::vector<std::pair<Result<void>, std::uint64_t>> partings;
  std::string error;
  std::optional<SourceCursor> cursor;
  std::uint64_t losses() const;
  bool serves_after(const std::string& reason) const;  // after a standing of this reason

 private:
  using Images = std::vector<std::pair<PageNumber, Bytes>>;

  Task<void> follow();
  Task<void> apply(SourceCommit commit);
  void play(PageNumber page_count, const Images& pages);
  void take_standing(const SourceStanding& said);
  void ask_for(PageNumber first);
  void take_pages(const SourcePages& pages);
  void take_as_seed(const SourcePages& pages);
  PageNumber first_difference(const Bytes& content) const;

  Options options_;
  SystemClock clock_;
  asio::io_context context_;
  std::unique_ptr<LogSource> source_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Bytes mirror_;
  std::vector<PageNumber> compared_;
  std::uint64_t compare_ = 0;
  PageNumber scrub_next_ = 1;
};

}  // namespace ccr::storage::test
