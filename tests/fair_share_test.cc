// Seeds that share a link: a simulated one, whose bytes are known.
#include <gtest/gtest.h>

#include "base/task_group.h"
#include "seed/fair_share.h"
#include "tests/seed_fixture.h"

namespace ccr::seed::fair_share_test {
namespace {

using namespace std::chrono_literals;

constexpr double message = 512 * 1024;

// Sends messages one after another over the link, of which its connection gets what its weight against the others' gives it.
struct Sender {
  std::string seed;
  double weight = 1;
  double rate_max = 1e9;  // bytes a second; what else holds it back
  double bytes = 0;
};

struct Sharing : testing::Test {
  double link = 100e6;  // bytes a second

  asio::io_context context;
  VirtualClock clock;
  FairShare share{context.get_executor(), clock};
  double weights = 0;  // of those that send now

  Task<Result<void>> send(Sender& sender, Instant until) {
    FairShare::Stream stream(share, sender.seed);
    while (clock.now() < until) {
      FairShare::Turn turn = co_await share.turn(stream);
      weights += sender.weight;
      for (double left = message; left > 0;) {
        co_await clock.sleep(1ms);
        left -= std::min(link * sender.weight / weights, sender.rate_max) / 1000;
      }
      weights -= sender.weight;
      turn.sent(static_cast<std::uint64_t>(message));
      sender.bytes += message;
    }
    co_return Result<void>();
  }
  Task<Result<void>> send_all(std::vector<Sender>& senders, Duration duration) {
    TaskGroup group(context.get_executor());
    for (Sender& sender : senders) group.spawn(send(sender, clock.now() + duration));
    co_return co_await group.join();
  }
  void run(std::vector<Sender>& senders, Duration duration) {
    const auto result = run_virtual(context, clock, send_all(senders, duration));
    ASSERT_TRUE(result && result->ok());
    EXPECT_EQ(share.seats(), 0u);
  }
};

TEST_F(Sharing, AlikeGetAlikeThoughTheirConnectionsWouldNot) {
  std::vector<Sender> senders{{"a", 2}, {"b", 1}, {"c", 1.5}, {"d", 0.7}};
  run(senders, 20s);
  double all = 0;
  for (const Sender& sender : senders) all += sender.bytes;
  EXPECT_GT(all, 0.93 * 20 * link);  // a message ends in the milliseconds that are left of it
  for (const Sender& sender : senders) EXPECT_NEAR(sender.bytes, all / 4, 0.02 * all / 4) << sender.seed;
}

TEST_F(Sharing, ASeedOfManyConnectionsGetsNoMoreThanOneOfOne) {
  std::vector<Sender> senders{{"a"}, {"a"}, {"a"}, {"b"}};
  run(senders, 20s);
  EXPECT_NEAR(senders[0].bytes + senders[1].bytes + senders[2].bytes, senders[3].bytes, 0.05 * 10 * link);
}

TEST_F(Sharing, WhoIsHeldBackByAnotherThingCostsTheOthersLittle) {
  std::vector<Sender> senders{{"slow", 1, 1e6}, {"fast"}};
  run(senders, 20s);
  EXPECT_GT(senders[1].bytes, 0.85 * 20 * link / 2);  // half: the model's link is given by weight, whether it is used or not
  EXPECT_GT(senders[0].bytes, 0.95 * 20e6);
}

TEST_F(Sharing, AMiddlingOneThatIsHeldBackDoesNotHoldBackTheOthers) {
  std::vector<Sender> senders{{"slow", 1, 5e6}, {"fast"}};
  run(senders, 20s);
  EXPECT_GT(senders[1].bytes, 0.8 * 20 * link / 2);
  EXPECT_GT(senders[0].bytes, 0.9 * 100e6);
}

TEST_F(Sharing, OnASlowLinkToo) {
  std::vector<Sender> senders{{"a"}, {"b", 6}};
  link = 2.5e6;
  run(senders, 120s);
  EXPECT_NEAR(senders[0].bytes, senders[1].bytes, 0.15 * 60 * link);
}

TEST_F(Sharing, OneAloneNeverWaits) {
  std::vector<Sender> senders{{"a"}};
  run(senders, 5s);
  EXPECT_GE(senders[0].bytes, 0.85 * 5 * link);  // but for the milliseconds that its messages end in
}

}  // namespace
}  // namespace ccr::seed::fair_share_test
