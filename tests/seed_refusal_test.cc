// What a pass does not accept: from its source, from its peer, from its disk.
#include "seed/extent_arrival.h"
#include "tests/seed_fixture.h"

namespace ccr::seed::seed_refusal_test {
namespace {

constexpr std::uint32_t page_size = 4096;
constexpr SeedPassId pass{{{3}, 8192}, 17, 600, page_size};

struct Arrival : testing::Test {
  ExtentArrival arrival{1, {257, 256}, page_size, {std::vector<Digest64>(256, 1), true}, AlignedBuffer(storage::extent_bytes)};
  Bytes images = Bytes(2 * page_size, std::byte{7});

  transport::ExtentPages message(PageNumber first, bool last = false) {
    return {.extent = 1, .as_of = {{3}, 8192}, .page_count = 600, .first = first, .images = images, .last = last};
  }
  ErrorKind refusal(const transport::ExtentPages& pages) {
    const Result<void> taken = arrival.take(pages, pass);
    EXPECT_FALSE(taken.ok());
    return taken.ok() ? ErrorKind::stopped : taken.error().kind;
  }
};
using SeedArrival = Arrival;

TEST_F(SeedArrival, TakesRunsAndMakesTheRestZeros) {
  arrival.ask_all();
  ASSERT_TRUE(arrival.take(message(300), pass).ok());
  EXPECT_FALSE(arrival.complete());
  ASSERT_TRUE(arrival.take(message(400, true), pass).ok());
  EXPECT_TRUE(arrival.complete());
  EXPECT_EQ(arrival.writes(), (std::vector<PageRun>{{257, 256}}));
  EXPECT_EQ(arrival.images({300, 1})[0], std::byte{7});
  EXPECT_EQ(arrival.images({302, 1})[0], std::byte{0});
  EXPECT_EQ(arrival.digests()[43], page_digest(300, ByteView(images).first(page_size)));
}

TEST_F(SeedArrival, RefusesPagesFromBeforeP) {
  arrival.ask_all();
  transport::ExtentPages old = message(300);
  old.as_of.offset -= 1;
  EXPECT_EQ(refusal(old), ErrorKind::refused);
}

TEST_F(SeedArrival, RefusesPagesOfOtherExtents) {
  arrival.ask_all();
  EXPECT_EQ(refusal(message(256)), ErrorKind::protocol);
  EXPECT_EQ(refusal(message(512)), ErrorKind::protocol);
  EXPECT_EQ(refusal(message(0)), ErrorKind::protocol);
  EXPECT_EQ(refusal(message(4294967295u)), ErrorKind::protocol);
}

TEST_F(SeedArrival, RefusesPagesThatWereNotAskedFor) {
  PagePlan plan{PageBits(256), PageBits(256)};
  plan.ask.set(43);
  arrival.ask(plan);
  EXPECT_EQ(refusal(message(300)), ErrorKind::protocol);
  ExtentArrival nothing(1, {257, 256}, page_size, {}, AlignedBuffer(storage::extent_bytes));
  EXPECT_EQ(nothing.take(message(300), pass).error().kind, ErrorKind::protocol);
}

TEST_F(SeedArrival, RefusesAPageThatCameAlready) {
  arrival.ask_all();
  ASSERT_TRUE(arrival.take(message(300), pass).ok());
  EXPECT_EQ(refusal(message(301)), ErrorKind::protocol);
}

TEST_F(SeedArrival, RefusesImagesThatAreNotWholePagesAndMessagesThatSayNothing) {
  arrival.ask_all();
  images.resize(page_size + 512);
  EXPECT_EQ(refusal(message(300)), ErrorKind::protocol);
  images.clear();
  EXPECT_EQ(refusal(message(0)), ErrorKind::protocol);
}

TEST_F(SeedArrival, RefusesWhatFollowsTheLastMessage) {
  arrival.ask_all();
  ASSERT_TRUE(arrival.take(message(300, true), pass).ok());
  EXPECT_EQ(refusal(message(310)), ErrorKind::protocol);
}

TEST_F(SeedArrival, DropsWhatTheSourceGrewSince) {
  ExtentArrival tail(2, {513, 88}, page_size, {}, AlignedBuffer(storage::extent_bytes));
  tail.ask_all();
  transport::ExtentPages grown = message(600, true);
  grown.extent = 2;
  ASSERT_TRUE(tail.take(grown, pass).ok());
  EXPECT_EQ(tail.images({600, 1})[0], std::byte{7});
  EXPECT_EQ(tail.writes(), (std::vector<PageRun>{{513, 88}}));
}

struct Refusal : testing::Test {
  FakeSource source{page_size, 1000};
  FakeCopy copy{source};

  void SetUp() override { source.fill_with_pages(1); }

  Error seed_fails() {
    const Result<SeedOutcome> outcome = copy.seed();
    EXPECT_FALSE(outcome.ok());
    return outcome.ok() ? Error{} : outcome.error();
  }
};
using SeedRefusal = Refusal;

TEST_F(SeedRefusal, ASourceThatIsBehindSendsNothing) {
  source.spoil = [](SeedRead& read) { read.as_of = Position::start_of({1}); };
  const Error error = seed_fails();
  EXPECT_EQ(error.kind, ErrorKind::refused);
  EXPECT_NE(error.message.find("before the pass's"), std::string::npos) << error.message;
  EXPECT_EQ(copy.served.error().kind, ErrorKind::refused);
}

TEST_F(SeedRefusal, ABadSourceTellsWhyAndThePassGoesOnLater) {
  source.read_error = Error{ErrorKind::corrupt, "page 7 of orders is not what its digest says", "ccr verify orders"};
  const Error error = seed_fails();
  EXPECT_EQ(error.kind, ErrorKind::diverged);
  EXPECT_NE(error.message.find("page 7 of orders"), std::string::npos);
  EXPECT_EQ(error.hint, "ccr verify orders");
  EXPECT_EQ(copy.served.error().kind, ErrorKind::corrupt);
  source.read_error.reset();
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(copy.resumed, 1);
  copy.replay_and_compare();
}

TEST_F(SeedRefusal, ADiskThatIsTooSmallIsSeenBeforeAnythingChanges) {
  copy.disk_free_bytes = 3 * MiB;
  const Error error = seed_fails();
  EXPECT_EQ(error.kind, ErrorKind::no_space);
  EXPECT_EQ(copy.opened, 0);
  EXPECT_EQ(copy.disk.content("/copy/db").size(), 0u);
}

TEST_F(SeedRefusal, ADiskThatFillsUpKeepsWhatIsThereAndGoesOn) {
  copy.write_limit_bytes = 2 * MiB;
  const Error error = seed_fails();
  EXPECT_EQ(error.kind, ErrorKind::no_space);
  copy.write_limit_bytes = std::numeric_limits<std::uint64_t>::max();
  ASSERT_TRUE(copy.seed().ok());
  EXPECT_EQ(copy.resumed, 1);
  copy.replay_and_compare();
}

TEST_F(SeedRefusal, OtherPageSizesDoNotMix) {
  FakeSource other(8192, 100);
  FakeCopy target(other);
  target.own_page_size = page_size;
  const Result<SeedOutcome> outcome = target.seed();
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().kind, ErrorKind::identity);
  EXPECT_EQ(target.opened, 0);
}

TEST_F(SeedRefusal, AnObserverThatCannotRecordThePassEndsItBeforeAPageIsWritten) {
  copy.observer_error = Error{ErrorKind::no_space, "state file", ""};
  EXPECT_EQ(seed_fails().kind, ErrorKind::no_space);
  EXPECT_EQ(source.pages_read, 0u);
  EXPECT_EQ(copy.disk.content("/copy/db").size(), 0u);
}

// What a peer says to the serving side, after SeedOpen or without it.
struct Asked {
  const char* what;
  bool opened;
  transport::Message ask;
};

Task<Result<void>> expect_refusal(transport::FramedConnection& link, Asked asked) {
  if (asked.opened) {
    const transport::Message open = transport::SeedOpen{};
    CCR_CO_TRY(co_await link.send(open));
    const Result<transport::Message> offer = co_await link.receive();
    if (!offer.ok()) co_return offer.error();
  }
  CCR_CO_TRY(co_await link.send(asked.ask));
  const Result<transport::Message> answer = co_await link.receive();
  if (!answer.ok()) co_return answer.error();
  const auto* refuse = std::get_if<transport::Refuse>(&*answer);
  EXPECT_TRUE(refuse != nullptr && refuse->reason == transport::RefuseReason::protocol) << asked.what;
  co_return Result<void>();
}

TEST_F(SeedRefusal, TheSourceRefusesWhatCannotBeAsked) {
  const std::vector<Asked> asks{
      {"digests before a pass", false, transport::ExtentDigestsAsk{0, 1}},
      {"pages before a pass", false, transport::ExtentAsk{0, {}}},
      {"an end before a pass", false, transport::SeedFinish{}},
      {"a heartbeat", true, transport::Tip{}},
      {"a page map that is too short", true, transport::ExtentAsk{0, Bytes(31, std::byte{1})}},
      {"a page map that is too long", true, transport::ExtentAsk{0, Bytes(33, std::byte{1})}},
      {"no page", true, transport::ExtentAsk{0, Bytes(32)}},
      {"an extent that cannot be", true, transport::ExtentAsk{0xffffffffu, {}}},
  };
  for (const Asked& asked : asks) {
    EXPECT_TRUE(copy.ask_source([&](transport::FramedConnection& link) { return expect_refusal(link, asked); }).ok()) << asked.what;
    EXPECT_EQ(copy.served.error().kind, ErrorKind::protocol) << asked.what;
  }
}

// A source that is not ours, and says one wrong thing.
struct Lie {
  const char* what;
  std::function<transport::Message(const transport::Message& ask)> answer;  // to anything after SeedOpen
  ErrorKind kind;
};

TEST_F(SeedRefusal, ASourceThatBreaksTheRulesIsNotFollowed) {
  static const Bytes image(page_size, std::byte{9});
  const auto pages = [](std::uint32_t extent, Position as_of, PageNumber first) -> transport::Message {
    return transport::ExtentPages{
        .extent = extent, .as_of = as_of, .page_count = 1000, .first = first, .images = image, .last = true};
  };
  const auto digests_first = [](transport::Message then) {
    return [then](const transport::Message& ask) -> transport::Message {
      const auto* digests = std::get_if<transport::ExtentDigestsAsk>(&ask);
      if (digests != nullptr) return transport::ExtentDigests{digests->first, std::vector<Digest64>(digests->count, 42)};
      return then;
    };
  };
  const Position p{{9}, 8192}, before{{9}, 4096};
  const std::vector<Lie> lies{
      {"other extents' digests",
       [](const auto&) -> transport::Message {
         return transport::ExtentDigests{5, {1, 2}};
       },
       ErrorKind::protocol},
      {"too few digests",
       [](const auto&) -> transport::Message {
         return transport::ExtentDigests{0, {1}};
       },
       ErrorKind::protocol},
      {"pages nobody asked for", [=](const auto&) { return pages(0, p, 1); }, ErrorKind::protocol},
      {"page digests nobody asked for",
       [](const auto&) -> transport::Message {
         return transport::PageDigestList{0, {1}};
       },
       ErrorKind::protocol},
      {"a heartbeat", [](const auto&) -> transport::Message { return transport::Tip{}; }, ErrorKind::protocol},
      {"an extent beyond the end", digests_first(pages(77, p, 1)), ErrorKind::protocol},
      {"pages of another extent", digests_first(pages(0, p, 257)), ErrorKind::protocol},
      {"pages from before P", digests_first(pages(0, before, 1)), ErrorKind::refused},
  };
  for (const Lie& lie : lies) {
    FakeCopy target(source);
    const Result<SeedOutcome> outcome = target.seed_from([&](const transport::Message& ask) -> transport::Message {
      if (std::holds_alternative<transport::SeedOpen>(ask)) return transport::SeedOffer{{{9}, 8192}, 1, 1000, page_size, false};
      return lie.answer(ask);
    });
    ASSERT_FALSE(outcome.ok()) << lie.what;
    EXPECT_EQ(outcome.error().kind, lie.kind) << lie.what << ": " << outcome.error().message;
    EXPECT_TRUE(target.seed().ok()) << lie.what;
    target.replay_and_compare();
  }
}

TEST_F(SeedRefusal, OffersThatCannotBeAreRefused) {
  const std::vector<std::pair<transport::SeedOffer, ErrorKind>> offers{
      {{{}, 0, 1000, page_size, false}, ErrorKind::protocol},
      {{{{9}, 8192}, 1, 1000, page_size, true}, ErrorKind::protocol},  // resumes what nobody asked for
      {{{{9}, 8192}, 1, 1000, 8192, false}, ErrorKind::identity},
      {{{{9}, 8192}, 1, 4294967295u, page_size, false}, ErrorKind::no_space},
  };
  for (const auto& [refused, kind] : offers) {
    const transport::SeedOffer& offer = refused;
    const Result<SeedOutcome> outcome = copy.seed_from([&](const transport::Message&) -> transport::Message { return offer; });
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().kind, kind);
    EXPECT_EQ(copy.opened, 0);
  }
}

}  // namespace
}  // namespace ccr::seed::seed_refusal_test
