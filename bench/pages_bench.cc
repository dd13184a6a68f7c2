// What digests cost: of a page by its size, of a commit in the overlay, of a flush of the table, of a load with its root.
//
// CCR_BENCH_DIRECTORY names the directory in which tables are flushed (default: the working directory).
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "base/random.h"
#include "storage/page_digests.h"
#include "storage/system_disk.h"

namespace ccr::storage {
namespace {

constexpr std::uint32_t page_size = 4096;
constexpr PageNumber pages_of_10_gib = 10 * GiB / page_size;
constexpr int pages_per_commit = 8;

void page_digest_of_size(benchmark::State& state) {
  AlignedBuffer page(static_cast<std::size_t>(state.range(0)));
  Random random(1);
  for (std::byte& b : page.span()) b = static_cast<std::byte>(random.next());
  PageNumber number = 0;
  for (auto _ : state) benchmark::DoNotOptimize(page_digest(++number, page.view()));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(page_digest_of_size)->RangeMultiplier(2)->Range(512, 65536);

// A disk of its own in a directory of its own.
class BenchDisk {
 public:
  BenchDisk() {
    const char* place = std::getenv("CCR_BENCH_DIRECTORY");
    std::string pattern = std::string(place ? place : ".") + "/ccr-pages-bench-XXXXXX";
    CCR_ASSERT(::mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
    disk_ = open_system_disk(context_.get_executor(), DiskChoice::automatic);
  }
  ~BenchDisk() { std::filesystem::remove_all(directory_); }

  Disk& disk() { return *disk_; }
  std::string path() const { return directory_ + "/digests"; }

  void finish(Task<Result<void>> task) {
    std::optional<Result<void>> result;
    auto body = [&]() -> Task<void> { result.emplace(co_await std::move(task)); };
    asio::co_spawn(context_, body, [](std::exception_ptr failure) { CCR_ASSERT(failure == nullptr); });
    context_.restart();
    while (!result) context_.run_one();
    CCR_ASSERT(result->ok());
  }

 private:
  asio::io_context context_;
  std::string directory_;
  std::unique_ptr<Disk> disk_;
};

// One commit of a few random pages, appended and settled, on the table of a 10 GiB database.
void overlay_set_and_settle(benchmark::State& state) {
  BenchDisk bench;
  PageDigests table(bench.disk(), bench.path(), page_size);
  table.resize(pages_of_10_gib);
  DigestOverlay overlay(table);
  Random random(1);
  for (auto _ : state) {
    for (int i = 0; i < pages_per_commit; ++i)
      overlay.set(static_cast<PageNumber>(random.between(1, pages_of_10_gib)), random.next());
    overlay.settle();
  }
  state.SetItemsProcessed(state.iterations() * pages_per_commit);
}
BENCHMARK(overlay_set_and_settle);

// A flush after `range` random pages of a 10 GiB database were set; the sync is in it.
void flush_after_pages(benchmark::State& state) {
  BenchDisk bench;
  PageDigests table(bench.disk(), bench.path(), page_size);
  table.resize(pages_of_10_gib);
  bench.finish(table.flush());
  Random random(1);
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); ++i)
      table.set(static_cast<PageNumber>(random.between(1, pages_of_10_gib)), random.next());
    bench.finish(table.flush());
  }
}
BENCHMARK(flush_after_pages)->Arg(1)->Arg(64)->Arg(1024)->Arg(16384)->Unit(benchmark::kMicrosecond)->UseRealTime();

// The start of a node: reading the table of a 10 GiB database and summing up its root.
void load_the_table(benchmark::State& state) {
  BenchDisk bench;
  PageDigests table(bench.disk(), bench.path(), page_size);
  table.resize(pages_of_10_gib);
  bench.finish(table.flush());
  for (auto _ : state) bench.finish(table.load());
}
BENCHMARK(load_the_table)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace ccr::storage

BENCHMARK_MAIN();
