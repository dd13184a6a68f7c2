// The link of tools/linklab in virtual time: what leaves it, and when.
#include <gtest/gtest.h>

#include "tools/link/lateness.h"
#include "tools/link/link.h"
#include "tools/link/packet_ring.h"

namespace ccr::linklab {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Inside a test, Run is a member of it.
using Runs = std::vector<linklab::Run>;

constexpr Instant start{1'000'000'000};
constexpr std::uint64_t full_packet = 1538;  // an MTU of 1500 on the wire; 12,304 ns on a gigabit

Train train_of(std::uint32_t packets, std::uint64_t bytes = full_packet) { return {packets, bytes, bytes}; }

Runs offered(Link& link, Instant at, const Train& train) {
  Runs runs;
  link.offer(at, train, runs);
  return runs;
}

std::uint64_t packets_in(const Runs& runs) {
  std::uint64_t packets = 0;
  for (const linklab::Run& run : runs) packets += run.packets;
  return packets;
}

TEST(WireBytes, CountWhatEthernetAdds) {
  EXPECT_EQ(wire_bytes(1500), 1538u);
  EXPECT_EQ(wire_bytes(46), 84u);
  EXPECT_EQ(wire_bytes(20), 84u);
  EXPECT_EQ(wire_bytes(47), 85u);
}

TEST(Link, APacketTakesItsTimeOnTheWireAndThenTheDelay) {
  Link link({.delay = milliseconds(10)});
  EXPECT_EQ(offered(link, start, train_of(1)), (Runs{{0, 1, start + nanoseconds(12'304) + milliseconds(10)}}));
}

TEST(Link, PacketsFollowEachOtherOnTheWire) {
  Link link({.delay = milliseconds(10)});
  (void)offered(link, start, train_of(1));
  EXPECT_EQ(offered(link, start + microseconds(1), train_of(1)).at(0).at, start + nanoseconds(2 * 12'304) + milliseconds(10));
}

TEST(Link, AnIdleWireOwesNothingForThePast) {
  Link link({});
  (void)offered(link, start, train_of(1));
  const Instant later = start + milliseconds(5);
  EXPECT_EQ(offered(link, later, train_of(1)).at(0).at, later + nanoseconds(12'304));
}

TEST(Link, PartsOfANanosecondAreNotLost) {
  // 84 bytes at 7 bit/s x 10^8 take 960 ns; at 700 Mbit/s three packets of 100 bytes take 3428.57 ns, not 3 x 1142.
  Link link({.rate_bits_per_second = 700'000'000});
  EXPECT_EQ(offered(link, start, train_of(3, 100)).at(0).at, start + nanoseconds(3'428));
  EXPECT_EQ(offered(link, start, train_of(4, 100)).at(0).at, start + nanoseconds(8'000));
}

TEST(Link, AGigabitCarriesWhatAGigabitCarries) {
  Link link({.queue_bytes = 100'000'000});
  Instant last = start;
  std::uint64_t payload = 0;
  for (int second_tenth = 0; second_tenth < 10; ++second_tenth) {
    for (const linklab::Run& run : offered(link, start, train_of(1'000))) {
      payload += run.packets * 1448;
      last = run.at;
    }
  }
  const double megabits = double(payload) * 8 / std::chrono::duration<double>(last - start).count() / 1e6;
  EXPECT_NEAR(megabits, 941.48, 0.01);
}

TEST(Link, ATrainStaysWholeWhileItIsShortInTime) {
  Link link({});
  EXPECT_EQ(offered(link, start, train_of(45)), (Runs{{0, 45, start + nanoseconds(45 * 12'304)}}));
}

TEST(Link, ASlowWireCutsATrain) {
  // 10 Mbit/s: 1.23 ms a packet, more than a run may take.
  Link link({.rate_bits_per_second = 10'000'000, .run_time_max = milliseconds(1)});
  EXPECT_EQ(offered(link, start, train_of(3)), (Runs{{0, 1, start + nanoseconds(1'230'400)},
                                                     {1, 1, start + nanoseconds(2 * 1'230'400)},
                                                     {2, 1, start + nanoseconds(3 * 1'230'400)}}));
}

TEST(Link, TheLastPacketOfATrainIsShorter) {
  Link link({});
  EXPECT_EQ(offered(link, start, {2, full_packet, 84}).at(0).at, start + nanoseconds(12'304 + 672));
}

TEST(Queue, DropsWhatDoesNotFitBehindWhatWaits) {
  Link link({.queue_bytes = 10 * full_packet});
  EXPECT_EQ(packets_in(offered(link, start, train_of(25))), 10u);
  EXPECT_EQ(link.counters().packets_dropped_by_queue, 15u);
  EXPECT_EQ(link.counters().queue_bytes_most, 10 * full_packet);
}

TEST(Queue, EmptiesAtTheRateOfTheWire) {
  Link link({.queue_bytes = 10 * full_packet});
  (void)offered(link, start, train_of(10));
  EXPECT_EQ(packets_in(offered(link, start + nanoseconds(12'000), train_of(1))), 0u);
  EXPECT_EQ(packets_in(offered(link, start + nanoseconds(12'304), train_of(1))), 1u);
  EXPECT_EQ(packets_in(offered(link, start + nanoseconds(12'304 * 4), train_of(5))), 3u);
}

TEST(Queue, IsNotFilledByTheDelay) {
  Link link({.delay = milliseconds(100), .queue_bytes = 2 * full_packet});
  for (int packet = 0; packet < 1'000; ++packet) (void)offered(link, start + nanoseconds(12'304 * packet), train_of(1));
  EXPECT_EQ(link.counters().packets_dropped_by_queue, 0u);
}

TEST(Queue, AnIdleWireTakesAnyPacket) {
  Link link({.queue_bytes = 100});
  EXPECT_EQ(packets_in(offered(link, start, train_of(2))), 1u);
}

TEST(Loss, SameSeedLosesTheSamePackets) {
  const LinkOptions options{.queue_bytes = 1'000'000'000, .loss_per_billion = 100'000'000, .seed = 7};
  Link one(options);
  Link other(options);
  Link another({.queue_bytes = 1'000'000'000, .loss_per_billion = 100'000'000, .seed = 8});
  const Runs runs = offered(one, start, train_of(200));
  EXPECT_EQ(runs, offered(other, start, train_of(200)));
  EXPECT_NE(runs, offered(another, start, train_of(200)));
}

TEST(Loss, DoesNotDependOnHowPacketsTravelTogether) {
  const LinkOptions options{.queue_bytes = 1'000'000'000, .loss_per_billion = 100'000'000, .seed = 7};
  Link together(options);
  Link alone(options);
  std::vector<std::uint32_t> lost_together(200, 1);
  for (const linklab::Run& run : offered(together, start, train_of(200)))
    for (std::uint32_t at = run.first; at < run.first + run.packets; ++at) lost_together[at] = 0;
  for (std::uint32_t at = 0; at < 200; ++at) EXPECT_EQ(offered(alone, start, train_of(1)).empty(), lost_together[at] == 1) << at;
}

TEST(Loss, IsAsOftenAsAsked) {
  Link link({.queue_bytes = 1'000'000'000'000, .loss_per_billion = 1'000'000, .seed = 1});  // one in 1,000
  for (int train = 0; train < 20'000; ++train) (void)offered(link, start, train_of(50));
  // A million draws: 1,000 lost with a deviation of 32; five of them either way.
  EXPECT_NEAR(double(link.counters().packets_dropped_by_loss), 1'000, 160);
}

TEST(Loss, ALostPacketWasOnTheWire) {
  Link link({.loss_per_billion = 1'000'000'000});
  EXPECT_TRUE(offered(link, start, train_of(3)).empty());
  EXPECT_EQ(link.counters().packets_dropped_by_loss, 3u);
  EXPECT_EQ(link.counters().queue_bytes_most, 3 * full_packet);
}

TEST(Counters, AddUp) {
  Link link({.queue_bytes = 100 * full_packet, .loss_per_billion = 50'000'000, .seed = 3});
  for (int turn = 0; turn < 100; ++turn) (void)offered(link, start + microseconds(300 * turn), train_of(45));
  const LinkCounters& counted = link.counters();
  EXPECT_EQ(counted.packets_offered, 4'500u);
  EXPECT_GT(counted.packets_dropped_by_queue, 0u);
  EXPECT_GT(counted.packets_dropped_by_loss, 0u);
  EXPECT_EQ(counted.packets_carried + counted.packets_dropped_by_queue + counted.packets_dropped_by_loss, 4'500u);
  EXPECT_EQ(counted.bytes_carried, counted.packets_carried * full_packet);
}

TEST(PacketRing, GivesPacketsBackInTheirOrderAndUnchanged) {
  constexpr std::size_t packet_max = 10;
  PacketRing ring(40, packet_max);
  std::deque<std::uint8_t> waiting;
  Random random(5);
  std::size_t kept_bytes = 0;
  for (std::uint8_t number = 0; number < 200; ++number) {
    const std::size_t size = 1 + random.below(packet_max);
    while (kept_bytes + size > 40) {
      ASSERT_EQ(ring.oldest()[0], std::byte{waiting.front()});
      kept_bytes -= ring.oldest().size();
      ring.drop_oldest();
      waiting.pop_front();
    }
    const ByteSpan room = ring.reserve();
    ASSERT_EQ(room.size(), packet_max);
    room[0] = std::byte{number};
    ring.keep(size);
    waiting.push_back(number);
    kept_bytes += size;
  }
  EXPECT_FALSE(ring.empty());
}

TEST(PacketRing, HasNoRoomRatherThanOverwrite) {
  PacketRing ring(40, 10);  // 60 bytes
  for (int packet = 0; packet < 6; ++packet) {
    ASSERT_FALSE(ring.reserve().empty()) << packet;
    ring.keep(10);
  }
  EXPECT_TRUE(ring.reserve().empty());
  ring.drop_oldest();
  EXPECT_TRUE(ring.reserve().empty());  // a head at 10 leaves ten bytes in front, but an equal tail would mean empty
  ring.drop_oldest();
  EXPECT_FALSE(ring.reserve().empty());
}

TEST(Lateness, TellsTheShareThatWasInTime) {
  Lateness lateness;
  for (int in_time = 0; in_time < 98; ++in_time) lateness.add(microseconds(10));
  lateness.add(milliseconds(3));
  lateness.add(milliseconds(90));
  EXPECT_EQ(lateness.at_percent(50), microseconds(16));
  EXPECT_EQ(lateness.at_percent(99), microseconds(3'008));
  EXPECT_EQ(lateness.at_percent(100), microseconds(16'384));
  EXPECT_EQ(lateness.most(), milliseconds(90));
}

}  // namespace
}  // namespace ccr::linklab
