// The power is cut while a copy receives its log, at each operation of a disk that keeps any part of what was not synced, in any order: what was
// durable is there again, and the rest comes as before.
#include "storage/generation_file.h"
#include "tests/crash_states.h"
#include "tests/log_support.h"
#include "tests/sim/sim_disk.h"
#include "tests/sweep.h"

namespace ccr::storage::log_test_power {
namespace {

using namespace test;

// What an active node sends: the bytes of each generation, from 1 on; the last is open.
std::vector<Bytes> generations_of_a_log() {
  MemoryDisk disk;
  Active active{disk};
  CCR_ASSERT(active.create().ok());
  for (const std::uint32_t images : {300u, 500u, 1u, 700u, 20u, 90u}) CCR_ASSERT(active.commit(images).ok());
  const Position end = active.log->durable();
  std::vector<Bytes> generations;
  for (Generation g{1}; g < end.generation; g = g.next()) generations.push_back(disk.content(sealed_path(directory_a, g)));
  Bytes open = disk.content(path_in(directory_a, current_name));
  open.resize((end.offset + block_bytes - 1) / block_bytes * block_bytes);
  generations.push_back(std::move(open));
  CCR_ASSERT(generations.size() >= 3);
  return generations;
}

// From where the log is on, a sync behind every other piece. `durable` is what a watermark would say.
Task<Result<void>> receive(Disk& disk, const std::vector<Bytes>& sent, Position& durable) {
  constexpr std::size_t piece_bytes = 24 * block_bytes;
  LogDirectory directory{directory_p, signature_a, page_size_min};
  const IncomingLog::Start start;
  Result<std::unique_ptr<IncomingLog>> opened = co_await IncomingLog::open(disk, std::move(directory), start, durable);
  if (!opened.ok()) co_return opened.error();
  IncomingLog& log = **opened;
  durable = std::max(durable, log.durable());
  for (int piece = 0;; ++piece) {
    const Position wanted = log.wanted();
    const ByteView bytes(sent[wanted.generation.number - 1]);
    if (wanted.offset == bytes.size()) break;
    const ByteView part = bytes.subspan(wanted.offset, std::min(piece_bytes, bytes.size() - wanted.offset));
    CCR_CO_TRY(co_await log.accept(wanted.generation, wanted.offset, part));
    if (piece % 2 == 1) CCR_CO_TRY(co_await log.sync());
    durable = log.durable();
  }
  CCR_CO_TRY(co_await log.sync());
  durable = log.durable();
  co_return Result<void>();
}

Bytes content_of(const sim::SimDisk& disk, const std::string& path) {
  const Result<sim::NodeId> file = disk.state().find(path);
  return file.ok() ? disk.state().cached(*file).all() : Bytes();
}

TEST(PowerCut, WhatACopyCalledDurableIsThereAndTheRestComesAgain) {
  const std::vector<Bytes> sent = generations_of_a_log();
  bool whole = false;  // one was played to its end before the cut
  for (std::uint64_t cut = 1; !whole; ++cut) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      if (!swept(cut + seed)) continue;
      sim::World world(1000 * cut + seed);
      sim::SimDisk disk(world, "beta");
      std::unique_ptr<Disk> mounted = disk.mount();
      Position durable;
      std::optional<Result<void>> ended;
      sim::begin(world, receive(*mounted, sent, durable), ended);
      const auto reached = [&] { return ended.has_value() || disk.operations() >= cut; };
      ASSERT_EQ(world.run_until(reached, std::chrono::hours(1)), sim::Ended::reached);
      whole = ended.has_value();
      Random random = world.random("power cut");
      disk.crash(sim::draw_power_cut(random));
      ++crash_states.opened;
      const auto has_ended = [&] { return ended.has_value(); };
      ASSERT_EQ(world.run_until(has_ended, std::chrono::hours(1)), sim::Ended::reached);
      mounted = disk.mount();
      const Result<void> again = sim::complete(world, receive(*mounted, sent, durable));
      ASSERT_TRUE(again.ok()) << "cut at " << cut << ", seed " << seed << ": " << again.error().message;
      for (std::size_t i = 0; i + 1 < sent.size(); ++i) ASSERT_EQ(content_of(disk, sealed_path(directory_p, {i + 1})), sent[i]) << cut << ", " << seed;
    }
  }
}

}  // namespace
}  // namespace ccr::storage::log_test_power
