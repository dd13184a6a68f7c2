// What the two back ends of the Disk carry: large sequential transfers at a depth, and the append + fdatasync of a commit.
//
// CCR_BENCH_DIRECTORY names the directory that is measured (default: the working directory). Reads are warm: they show what the
// back end costs, not what the device gives.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "base/task_group.h"
#include "storage/system_disk.h"

namespace ccr::storage {
namespace {

constexpr std::uint64_t transfer_bytes = 1 * MiB;
constexpr std::uint64_t file_bytes = 64 * MiB;  // one iteration
constexpr std::uint64_t commit_bytes = 4 * KiB;
constexpr std::uint64_t commits = 64;  // one iteration, per file

// A disk with some files that are written full, so that neither holes nor allocation are measured.
class BenchFiles {
 public:
  BenchFiles(DiskChoice choice, std::size_t count, std::uint64_t bytes) {
    const char* place = std::getenv("CCR_BENCH_DIRECTORY");
    std::string pattern = std::string(place ? place : ".") + "/ccr-disk-bench-XXXXXX";
    CCR_ASSERT(::mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
    disk_ = open_system_disk(context_.get_executor(), choice);
    run(prepare(count, bytes));
  }
  ~BenchFiles() {
    files_.clear();
    std::filesystem::remove_all(directory_);
  }
  BenchFiles(const BenchFiles&) = delete;
  BenchFiles& operator=(const BenchFiles&) = delete;

  void run(Task<Result<void>> task) {
    Result<void> outcome = Error{};
    asio::co_spawn(context_, std::move(task), [&](std::exception_ptr failure, Result<void> result) {
      CCR_ASSERT(!failure);
      outcome = std::move(result);
    });
    context_.restart();
    context_.run();
    CCR_ASSERT(outcome.ok());
  }
  File& file(std::size_t index) { return *files_[index]; }
  std::size_t count() const { return files_.size(); }
  const Disk& disk() const { return *disk_; }

 private:
  Task<Result<void>> prepare(std::size_t count, std::uint64_t bytes) {
    const Bytes content(transfer_bytes, std::byte{0x5a});
    for (std::size_t i = 0; i < count; ++i) {
      Result<std::unique_ptr<File>> file = co_await disk_->open(directory_ + "/" + std::to_string(i), OpenMode::create_new);
      if (!file) co_return file.error();
      files_.push_back(std::move(*file));
      for (std::uint64_t at = 0; at < bytes; at += transfer_bytes) CCR_CO_TRY(co_await files_.back()->write_at(at, content));
      CCR_CO_TRY(co_await files_.back()->sync());
    }
    co_return Result<void>();
  }

  asio::io_context context_;
  std::string directory_;
  std::unique_ptr<Disk> disk_;
  std::vector<std::unique_ptr<File>> files_;
};

enum class Direction { read, write };

// One of `depth` workers: takes the next piece until the file is through.
Task<Result<void>> transfer(File& file, Direction direction, std::uint64_t& next) {
  AlignedBuffer buffer(transfer_bytes);
  while (next < file_bytes) {
    const std::uint64_t at = next;
    next += transfer_bytes;
    if (direction == Direction::read) CCR_CO_TRY(co_await file.read_at(at, buffer.span()));
    if (direction == Direction::write) CCR_CO_TRY(co_await file.write_at(at, buffer.view()));
  }
  co_return Result<void>();
}

Task<Result<void>> transfer_file(File& file, Direction direction, int depth) {
  const Executor executor = co_await asio::this_coro::executor;
  TaskGroup workers(executor);
  std::uint64_t next = 0;
  for (int i = 0; i < depth; ++i) workers.spawn(transfer(file, direction, next));
  co_return co_await workers.join();
}

Task<Result<void>> commit(File& file) {
  const Bytes record(commit_bytes, std::byte{1});
  for (std::uint64_t i = 0; i < commits; ++i) {
    CCR_CO_TRY(co_await file.write_at(i * commit_bytes, record));
    CCR_CO_TRY(co_await file.sync());
  }
  co_return Result<void>();
}

Task<Result<void>> commit_everywhere(BenchFiles& files) {
  const Executor executor = co_await asio::this_coro::executor;
  TaskGroup writers(executor);
  for (std::size_t i = 0; i < files.count(); ++i) writers.spawn(commit(files.file(i)));
  co_return co_await writers.join();
}

Task<Result<void>> read_small(File& file) {
  Bytes into(commit_bytes);
  for (std::uint64_t i = 0; i < commits; ++i) CCR_CO_TRY(co_await file.read_at(i * commit_bytes, into));
  co_return Result<void>();
}

void measure_transfer(benchmark::State& state, Direction direction) {
  BenchFiles files(static_cast<DiskChoice>(state.range(0)), 1, file_bytes);
  state.SetLabel(std::string(files.disk().name()));
  for (auto unused : state) files.run(transfer_file(files.file(0), direction, static_cast<int>(state.range(1))));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * file_bytes));
}

void warm_reads_1_mib(benchmark::State& state) { measure_transfer(state, Direction::read); }
void buffered_writes_1_mib(benchmark::State& state) { measure_transfer(state, Direction::write); }

void append_and_sync_4_kib(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(1));
  BenchFiles files(static_cast<DiskChoice>(state.range(0)), count, transfer_bytes);
  state.SetLabel(std::string(files.disk().name()));
  for (auto unused : state) files.run(commit_everywhere(files));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * commits * count));
}

void warm_reads_4_kib(benchmark::State& state) {
  BenchFiles files(static_cast<DiskChoice>(state.range(0)), 1, transfer_bytes);
  state.SetLabel(std::string(files.disk().name()));
  for (auto unused : state) files.run(read_small(files.file(0)));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * commits));
}

const std::vector<std::int64_t> back_ends = {static_cast<std::int64_t>(DiskChoice::io_uring),
                                             static_cast<std::int64_t>(DiskChoice::threads)};

BENCHMARK(warm_reads_1_mib)->ArgNames({"disk", "depth"})->ArgsProduct({back_ends, {1, 8}})->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(buffered_writes_1_mib)
    ->ArgNames({"disk", "depth"})
    ->ArgsProduct({back_ends, {1, 8}})
    ->UseRealTime()
    ->MeasureProcessCPUTime();
BENCHMARK(append_and_sync_4_kib)
    ->ArgNames({"disk", "files"})
    ->ArgsProduct({back_ends, {1, 32}})
    ->UseRealTime()
    ->MeasureProcessCPUTime();
BENCHMARK(warm_reads_4_kib)->ArgNames({"disk"})->ArgsProduct({back_ends})->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
}  // namespace ccr::storage

BENCHMARK_MAIN();
