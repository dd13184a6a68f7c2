// Truncation as a table of cases with literal verdicts, and the promises of FAULTS invariant 9 over random ones.
#include "storage/truncation.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace ccr::storage {
namespace {

Position start(std::uint64_t generation) { return Position::start_of({generation}); }
Pin copy(std::string owner, std::uint64_t generation) { return {Pin::Kind::copy, std::move(owner), start(generation), false}; }
Pin seed(std::string owner, std::uint64_t generation) { return {Pin::Kind::seed, std::move(owner), start(generation), false}; }
Pin dropped(Pin pin) {
  pin.dropped = true;
  return pin;
}

struct Case {
  const char* name;
  TruncationFacts facts;
  TruncationVerdict expected;
};

// Ten generations are held, 10 to 19, of one MiB each, unless a case says otherwise.
TruncationFacts held(std::uint64_t replayed, std::vector<Pin> pins, std::uint64_t budget_mib = 0) {
  return {{10}, {19}, start(replayed), std::move(pins), 10 * MiB, budget_mib * MiB};
}

TruncationFacts kept(TruncationFacts facts, Position from) {
  facts.retained = from;
  return facts;
}
TruncationFacts stops(TruncationFacts facts) {
  facts.budget_stops = true;
  return facts;
}

const Case cases[] = {
    {"nothing is held yet", {{0}, {0}, {}, {}, 0, 0}, {{0}, "open", {}}},
    {"only the open generation", {{1}, {1}, start(1), {}, 1 * MiB, 0}, {{1}, "open", {}}},
    {"no pins, all replayed", held(19, {}), {{19}, "open", {}}},
    {"replayed past the open generation's start", {{10}, {19}, {{19}, 8192}, {}, 0, 0}, {{19}, "open", {}}},
    {"replayed beyond the open generation", held(25, {}), {{19}, "open", {}}},
    {"replay is behind", held(14, {}), {{14}, "replay", {}}},
    {"replay is unknown", {{10}, {19}, {}, {}, 0, 0}, {{10}, "replay", {}}},
    {"redo starts inside a generation", {{10}, {19}, {{14}, 900 * KiB}, {}, 0, 0}, {{14}, "replay", {}}},
    {"a copy is behind", held(19, {copy("beta", 12)}), {{12}, "beta", {}}},
    {"the furthest of several copies", held(19, {copy("beta", 16), copy("gamma", 12), copy("delta", 13)}), {{12}, "gamma", {}}},
    {"a copy behind what is held", held(19, {copy("beta", 3)}), {{10}, "beta", {}}},
    {"a copy whose position is unknown", held(19, {{Pin::Kind::copy, "beta", {}, false}}), {{10}, "beta", {}}},
    {"a copy ahead of replay", held(12, {copy("beta", 15)}), {{12}, "replay", {}}},
    {"a copy ahead of the open generation", held(19, {copy("beta", 40)}), {{19}, "open", {}}},
    {"a dropped pin holds nothing", held(19, {dropped(copy("beta", 12)), copy("gamma", 17)}), {{17}, "gamma", {}}},
    {"a running seed", held(19, {copy("beta", 16), seed("gamma", 11)}), {{11}, "seed of gamma", {}}},
    {"equals are named in the order open, replay, pins", held(19, {copy("beta", 19)}), {{19}, "open", {}}},
    {"replay before a pin at the same place", held(15, {copy("beta", 15)}), {{15}, "replay", {}}},
    {"pins at the same place as they are listed", held(19, {copy("beta", 15), seed("beta", 15)}), {{15}, "beta", {}}},

    {"the policy keeps more than anybody needs", kept(held(19, {copy("beta", 15)}), start(12)), {{12}, "retention", {}}},
    {"the policy without a beginning keeps everything", kept(held(19, {}), Position{}), {{10}, "retention", {}}},
    {"a pin before the policy at the same place", kept(held(19, {copy("beta", 12)}), start(12)), {{12}, "beta", {}}},
    {"the policy is inside the budget", kept(held(19, {}, 10), start(10)), {{10}, "retention", {}}},
    {"the policy gives up what is too old for the budget", kept(held(19, {}, 4), start(10)), {{10}, "retention", {}, {16}}},
    {"but not what it would not keep", kept(held(19, {}, 4), start(17)), {{17}, "retention", {}}},
    {"nor what somebody else holds", kept(held(19, {seed("beta", 13)}, 4), start(10)), {{10}, "retention", {}, {13}}},
    {"nor does replay's log go for it", kept(held(10, {}, 4), start(10)), {{10}, "replay", {}}},
    {"policy and copy are over the budget together", kept(held(19, {copy("beta", 12)}, 4), start(10)), {{10}, "retention", {"beta"}, {12}}},
    {"a budget that stops commits drops nothing", stops(kept(held(19, {copy("beta", 12)}, 10), start(10))), {{10}, "retention", {}, {}, true}},
    {"and lets them go on below it", stops(held(19, {copy("beta", 12)}, 10)), {{12}, "beta", {}}},
    {"to the last generation that fits", stops(held(19, {copy("beta", 11)}, 10)), {{11}, "beta", {}}},
    {"what is kept anyway is no reason to stop", stops(held(19, {}, 3)), {{19}, "open", {}}},

    {"inside the budget", held(19, {copy("beta", 10)}, 10), {{10}, "beta", {}}},
    {"over it, but what may go is enough", held(19, {copy("beta", 15)}, 5), {{15}, "beta", {}}},
    {"one copy breaks it", held(19, {copy("beta", 10), copy("gamma", 16)}, 5), {{10}, "beta", {"beta"}}},
    {"two copies, the furthest behind first",
     held(19, {copy("gamma", 12), copy("beta", 11), copy("delta", 18)}, 3),
     {{11}, "beta", {"beta", "gamma"}}},
    {"two copies at one place", held(19, {copy("beta", 10), copy("gamma", 10)}, 5), {{10}, "beta", {"beta", "gamma"}}},
    {"all copies, and the open generation is over it still",
     TruncationFacts{{10}, {19}, start(19), {copy("beta", 11), copy("gamma", 18)}, 10 * MiB, 512 * KiB},
     {{11}, "beta", {"beta", "gamma"}}},
    {"a seed holds: no copy is broken for nothing",
     held(19, {seed("gamma", 10), copy("beta", 12)}, 3),
     {{10}, "seed of gamma", {}}},
    {"a seed holds as much", held(19, {copy("beta", 10), seed("gamma", 10)}, 3), {{10}, "beta", {}}},
    {"a copy behind a seed", held(19, {copy("beta", 10), seed("gamma", 14), copy("delta", 16)}, 3), {{10}, "beta", {"beta"}}},
    {"replay holds: no copy is broken for nothing", held(10, {copy("beta", 10)}, 3), {{10}, "replay", {}}},
    {"a copy behind replay", held(13, {copy("beta", 10), copy("gamma", 14)}, 3), {{10}, "beta", {"beta"}}},
    {"a pin that is dropped already is not named again",
     held(19, {dropped(copy("beta", 10)), copy("gamma", 12)}, 5),
     {{12}, "gamma", {"gamma"}}},
    {"an unknown copy goes first",
     held(19, {copy("beta", 11), {Pin::Kind::copy, "gamma", {}, false}}, 9),
     {{10}, "gamma", {"gamma"}}},
};

TEST(Truncation, VerdictsOfTheTable) {
  for (const Case& c : cases) {
    const TruncationVerdict verdict = decide_truncation(c.facts);
    EXPECT_EQ(verdict.below, c.expected.below) << c.name << ": " << verdict.below.number;
    EXPECT_EQ(verdict.held_by, c.expected.held_by) << c.name;
    EXPECT_EQ(verdict.over_budget, c.expected.over_budget) << c.name;
    EXPECT_EQ(verdict.give_up, c.expected.give_up) << c.name << ": " << verdict.give_up.number;
    EXPECT_EQ(verdict.full, c.expected.full) << c.name;
  }
}

TruncationFacts random_facts(Random& random) {
  TruncationFacts facts;
  facts.first = {random.between(1, 20)};
  facts.open = {random.between(facts.first.number, 40)};
  facts.replayed = {{random.below(45)}, random.between(4096, 1 * MiB)};
  for (std::uint64_t i = random.below(6); i > 0; --i) {
    Pin pin =
        random.chance(1, 4) ? seed("n" + std::to_string(i), random.below(45)) : copy("n" + std::to_string(i), random.below(45));
    pin.dropped = random.chance(1, 5);
    facts.pins.push_back(pin);
  }
  facts.log_bytes = (facts.open.number - facts.first.number + 1) * MiB;
  facts.log_budget_bytes = random.chance(1, 3) ? 0 : random.below(40 * MiB);
  if (random.chance(1, 3)) facts.retained = start(random.below(45));
  return facts;
}

TEST(Truncation, NeverPassesReplayAPinOrTheOpenGeneration) {
  Random random(11);
  for (int i = 0; i < 20000; ++i) {
    const TruncationFacts facts = random_facts(random);
    const TruncationVerdict verdict = decide_truncation(facts);
    ASSERT_GE(verdict.below, facts.first);
    ASSERT_LE(verdict.below, facts.open);
    if (verdict.below == facts.first) continue;
    ASSERT_LE(verdict.below, facts.replayed.generation);
    for (const Pin& pin : facts.pins) ASSERT_TRUE(pin.dropped || verdict.below <= pin.from.generation);
    ASSERT_TRUE(!facts.retained || verdict.below <= facts.retained->generation);
  }
}

TEST(Holds, NameEverybodyWhoHoldsOneGeneration) {
  const TruncationFacts facts = held(14, {copy("beta", 12), seed("gamma", 16), dropped(copy("delta", 10))});
  const auto who = [&](std::uint64_t generation) {
    std::string names;
    for (const Hold& hold : holds_on(facts, {generation})) names += (names.empty() ? "" : ", ") + hold.who;
    return names;
  };
  EXPECT_EQ(who(9), "") << "it is not here";
  EXPECT_EQ(who(11), "") << "a dropped pin holds nothing";
  EXPECT_EQ(who(12), "beta");
  EXPECT_EQ(who(14), "replay, beta");
  EXPECT_EQ(who(19), "open, replay, beta, seed of gamma");
  EXPECT_EQ(who(20), "") << "it does not exist yet";
}

TEST(Truncation, DroppingWhatItNamesFreesLogAndLeavesNothingMoreToName) {
  Random random(12);
  int named = 0;
  for (int i = 0; i < 20000; ++i) {
    TruncationFacts facts = random_facts(random);
    const TruncationVerdict before = decide_truncation(facts);
    if (before.over_budget.empty() && before.give_up.number == 0) continue;
    ++named;
    if (before.give_up.number != 0) facts.retained = start(before.give_up.number);
    for (const std::string& owner : before.over_budget) {
      for (Pin& pin : facts.pins) {
        if (pin.owner == owner && pin.kind == Pin::Kind::copy) pin.dropped = true;
      }
    }
    const TruncationVerdict after = decide_truncation(facts);
    ASSERT_GE(after.below, before.below);
    ASSERT_TRUE(after.over_budget.empty());
    // What a dropped pin held beside it is given up in the next step, and then nothing more.
    if (after.give_up.number == 0) continue;
    ASSERT_FALSE(before.over_budget.empty());
    facts.retained = start(after.give_up.number);
    ASSERT_EQ(decide_truncation(facts).give_up, Generation{});
  }
  EXPECT_GT(named, 1000);
}

}  // namespace
}  // namespace ccr::storage
