// The swarm: many seeds, each a cluster in trouble. CCR_SWARM_SEEDS says how many, CCR_SWARM_FIRST from which on; `swarm_test --seed=N` tells one seed's story.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>

#include "tests/sim/swarm.h"
#include "tests/sweep.h"

namespace ccr::sim {
namespace {

constexpr std::uint64_t seeds_default = 400;   // an hour of tools/soak plays the 2,000 of FAULTS R2
constexpr std::uint64_t repeated_every = 100;  // these run twice, and must tell the same story
// From here on everything must have happened: of those that each check plays, and of fresh ones, of which 100 lack something one time in three.
constexpr std::uint64_t seeds_that_show = 250, fresh_seeds_that_show = 400;

constexpr double seconds_of_a_seed = 360;

std::uint64_t running_seed = 0;

// An assertion of the engine ends the process; whoever reads this needs the seed.
void tell_seed(int) {
  std::fprintf(stderr, "the running seed is %llu\n", static_cast<unsigned long long>(running_seed));
  std::signal(SIGABRT, SIG_DFL);
}

SwarmReport run_seed(std::uint64_t seed) {
  running_seed = seed;
  std::signal(SIGABRT, tell_seed);
  const auto swarm = std::make_unique<Swarm>(seed);
  return swarm->run();
}

// What so many seeds must have done for their silence to mean anything (FAULTS invariant 31).
void expect_not_vacuous(const SwarmCounts& counts, std::uint64_t seeds) {
  for (const Fault fault : {Fault::process_kill, Fault::power_cut, Fault::pause, Fault::wall_jump, Fault::disk_stall, Fault::disk_full, Fault::disk_read_only, Fault::no_descriptors,
                            Fault::disk_read_error, Fault::disk_write_error, Fault::disk_sync_error, Fault::disk_other_error,
                            Fault::connection_cut, Fault::half_open, Fault::link_stall, Fault::partition, Fault::bit_flip}) {
    EXPECT_GT(counts.faults[static_cast<std::size_t>(fault)], 0u) << name_of(fault);
  }
  for (const char* what : {"seeds finished", "seeds interrupted", "differences needed", "pins dropped", "suspensions", "resumes", "stops", "scrubs finished", "positions replayed after their lag",
                           "disks put back", "disks swapped", "forced activations", "nights of rest", "connections that died in a night", "nodes that died in a night",
                           "clocks that jumped in a night", "daemons that ended by themselves", "moves met disk_stall"})
    EXPECT_TRUE(counts.happened.count(what) > 0) << what;
  if (seeds >= fresh_seeds_that_show) {
    EXPECT_TRUE(counts.happened.count("moves met no_descriptors") > 0);
  }
  EXPECT_GT(counts.happened.at("commits"), seeds * 10);
  EXPECT_GT(counts.happened.at("seeds finished"), seeds);
  EXPECT_GT(counts.virtual_seconds, seeds * seconds_of_a_seed) << "FAULTS R2: 200 hours in 2,000 seeds";
}

TEST(Swarm, EverySeedHoldsItsInvariantsAndBecomesWhole) {
  const std::uint64_t seeds = number_in_environment("CCR_SWARM_SEEDS", seeds_default);
  const std::uint64_t first = number_in_environment("CCR_SWARM_FIRST", 1);
  SwarmCounts counts;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const SwarmReport report = run_seed(seed);
    counts.add(report.counts);
    EXPECT_EQ(report.wrong, "") << "seed " << seed << ": " << report.options;
    if (seed % repeated_every != 0) continue;
    const SwarmReport again = run_seed(seed);
    EXPECT_EQ(again.hash, report.hash) << "seed " << seed << " tells two stories";
    EXPECT_EQ(again.story, report.story) << "seed " << seed << " tells two stories";
  }
  std::printf("seeds %llu to %llu: %s\n", static_cast<unsigned long long>(first), static_cast<unsigned long long>(first + seeds - 1),
              counts.text().c_str());
  if (seeds >= (first == 1 ? seeds_that_show : fresh_seeds_that_show)) expect_not_vacuous(counts, seeds);
}

int tell_story(std::uint64_t seed) {
  const SwarmReport report = run_seed(seed);
  std::printf("%sseed %llu: %s\n%s\n%s\n", report.story.c_str(), static_cast<unsigned long long>(seed), report.options.c_str(),
              report.counts.text().c_str(), report.wrong.empty() ? "everything held" : report.wrong.c_str());
  return report.wrong.empty() ? 0 : 1;
}

// Without gtest's frame around them, for a search over many seeds: one line for each that fails.
int search(std::uint64_t first, std::uint64_t last) {
  int failed = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const SwarmReport report = run_seed(seed);
    if (report.wrong.empty()) continue;
    ++failed;
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), report.wrong.c_str());
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ccr::sim

int main(int argc, char** argv) {
  [[maybe_unused]] const int rank = ::nice(10);  // whatever else is tested beside it has clocks to meet
  // Nodes start and end all the time; their buffers would go to the kernel and come back page by page, which was half of the time. Not so the
  // largest, of which they use little: from the kernel it is zeros already.
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 512 << 20);
  unsigned long long first = 0, last = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::sscanf(argv[i], "--seed=%llu", &first) == 1) return ccr::sim::tell_story(first);
    if (std::sscanf(argv[i], "--seeds=%llu..%llu", &first, &last) == 2) return ccr::sim::search(first, last);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
