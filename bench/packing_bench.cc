// What packing costs and leaves: log streams by pattern, level and size of a piece, and pages of a seed. `left` is what goes out for each
// byte that came in. One thread.
#include <benchmark/benchmark.h>

#include <string>

#include "base/random.h"
#include "transport/log_packer.h"
#include "transport/log_unpacker.h"
#include "transport/page_packing.h"

namespace ccr::transport {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t content_bytes = 64 * MiB;
constexpr int history_log = 26;

Bytes noise(std::size_t size) {
  Random random(1);
  Bytes bytes(size);
  Encoder out(bytes);
  for (std::size_t at = 0; at < size; at += 8) out.u64(random.next());
  return bytes;
}

// Rows of words and numbers: pages that shrink to a third.
Bytes rows(std::size_t size) {
  Random random(2);
  std::string text;
  text.reserve(size + page_bytes);
  while (text.size() < size) {
    for (int word = 0; word < 12; ++word) text += "w" + std::to_string(random.below(5000) * 7919 % 99991) + " ";
    for (int field = 0; field < 16; ++field) text += static_cast<char>(random.below(256));
  }
  const ByteView view = as_bytes(text);
  return {view.begin(), view.begin() + static_cast<std::ptrdiff_t>(size)};
}

// Pages of a database of 16 MiB in any order, each time with a row changed.
Bytes updates(std::size_t size) {
  constexpr std::size_t database_bytes = 16 * MiB;
  Random random(3);
  Bytes database = rows(database_bytes);
  Bytes log;
  log.reserve(size);
  while (log.size() < size) {
    const std::size_t at = random.below(database_bytes / page_bytes) * page_bytes;
    Encoder row(ByteSpan(database).subspan(at + random.below(page_bytes - 16), 16));
    row.u64(random.next());
    log.insert(log.end(), database.begin() + std::ptrdiff_t(at), database.begin() + std::ptrdiff_t(at + page_bytes));
  }
  return log;
}

const Bytes& content(int pattern) {
  static const Bytes all[] = {noise(content_bytes), rows(content_bytes), updates(4 * content_bytes)};
  return all[pattern];
}
constexpr const char* pattern_names[] = {"noise", "rows", "updates"};

void pack_log(benchmark::State& state) {
  const Bytes& log = content(static_cast<int>(state.range(0)));
  const std::size_t piece = static_cast<std::size_t>(state.range(2)) * KiB;
  std::uint64_t in = 0, out = 0;
  for (auto _ : state) {
    LogPacker packer(static_cast<int>(state.range(1)), history_log);
    for (std::size_t at = 0; at + piece <= log.size(); at += piece) {
      const Result<ByteView> packed = packer.pack(ByteView(log).subspan(at, piece));
      CCR_ASSERT(packed.ok());
      in += piece;
      out += packed->size();
    }
  }
  state.SetLabel(pattern_names[state.range(0)]);
  state.SetBytesProcessed(static_cast<std::int64_t>(in));
  state.counters["left"] = static_cast<double>(out) / static_cast<double>(in);
}

void unpack_log(benchmark::State& state) {
  const Bytes& log = content(static_cast<int>(state.range(0)));
  constexpr std::size_t piece = 256 * KiB;
  LogPacker packer(1, history_log);
  std::vector<Bytes> pieces;
  for (std::size_t at = 0; at + piece <= log.size(); at += piece) {
    const Result<ByteView> packed = packer.pack(ByteView(log).subspan(at, piece));
    pieces.emplace_back(packed->begin(), packed->end());
  }
  Bytes raw(piece);
  std::uint64_t made = 0;
  for (auto _ : state) {
    LogUnpacker unpacker(history_log);
    CCR_ASSERT(unpacker.begin(pieces.front()).ok());
    for (const Bytes& packed : pieces) {
      CCR_ASSERT(unpacker.unpack(packed, raw).ok());
      made += piece;
    }
  }
  state.SetLabel(pattern_names[state.range(0)]);
  state.SetBytesProcessed(static_cast<std::int64_t>(made));
}

void pack_extent(benchmark::State& state) {
  const Bytes& pages = content(static_cast<int>(state.range(0)));
  PagePacker packer;
  std::uint64_t in = 0, out = 0;
  std::size_t at = 0;
  for (auto _ : state) {
    const Result<ByteView> packed = packer.pack(ByteView(pages).subspan(at, MiB), static_cast<int>(state.range(1)));
    CCR_ASSERT(packed.ok());
    in += MiB;
    out += packed->size();
    at = (at + MiB) % content_bytes;
  }
  state.SetLabel(pattern_names[state.range(0)]);
  state.SetBytesProcessed(static_cast<std::int64_t>(in));
  state.counters["left"] = static_cast<double>(out) / static_cast<double>(in);
}

BENCHMARK(pack_log)->ArgNames({"pattern", "level", "piece"})->ArgsProduct({{0, 1, 2}, {1, 3, 5}, {12, 256}})->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK(unpack_log)->ArgNames({"pattern"})->ArgsProduct({{0, 1, 2}})->Iterations(2)->Unit(benchmark::kMillisecond);
BENCHMARK(pack_extent)->ArgNames({"pattern", "level"})->ArgsProduct({{0, 1}, {1, 3, 5}})->Iterations(64)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ccr::transport

BENCHMARK_MAIN();
