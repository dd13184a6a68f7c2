// Which databases and copies may come and go while a node runs: the rules alone.
#include <gtest/gtest.h>

#include "engine/copy_table.h"
#include "engine/membership.h"

namespace ccr::engine::coming_and_going {

using Here = MembershipChange::Here;

DatabaseConfig database_of(const std::string& name, std::vector<std::string> copies) {
  DatabaseConfig database;
  database.name = name;
  database.path = "/srv/" + name + ".db";
  database.logs = "/srv/" + name + "-log";
  database.copies = std::move(copies);
  return database;
}

// As node alpha has it: orders on both nodes.
Config in_force() {
  Config config;
  config.node = "alpha";
  config.state_dir = "/state";
  config.control_socket = "/state/control.sock";
  config.nodes["alpha"].name = "alpha";
  config.nodes["beta"].name = "beta";
  config.nodes["gamma"].name = "gamma";
  config.databases["orders"] = database_of("orders", {"alpha", "beta"});
  return config;
}

Config with(const std::string& name, std::vector<std::string> copies) {
  Config config = in_force();
  config.databases[name] = database_of(name, std::move(copies));
  return config;
}

Config without_orders() {
  Config config = in_force();
  config.databases.clear();
  return config;
}

MembershipChange only(const Config& before, const Config& after) {
  const std::vector<MembershipChange> changes = membership_changes(before, after);
  EXPECT_EQ(changes.size(), 1u);
  return changes.empty() ? MembershipChange{} : changes.front();
}

MembershipFacts active_on(const std::string& node) {
  MembershipFacts facts;
  facts.active = node;
  return facts;
}

std::string refusal(const Config& before, const Config& after, const MembershipFacts& facts) {
  const Result<void> allowed = check_membership(before, after, only(before, after), facts);
  if (allowed.ok()) return "";
  EXPECT_EQ(allowed.error().kind, ErrorKind::refused);
  EXPECT_NE(allowed.error().hint, "");
  return allowed.error().message + " | " + allowed.error().hint;
}

TEST(Membership, ATableThatIsNewBeginsHereOrElsewhere) {
  const MembershipChange here = only(in_force(), with("mail", {"beta", "alpha"}));
  EXPECT_EQ(here.here, Here::begins);
  EXPECT_TRUE(here.whole);
  EXPECT_EQ(here.text(), "mail added");
  EXPECT_EQ(only(in_force(), with("mail", {"beta", "gamma"})).here, Here::elsewhere);
}

TEST(Membership, ACopyThatComesOrGoesIsNotTheDatabase) {
  const MembershipChange more = only(in_force(), with("orders", {"alpha", "beta", "gamma"}));
  EXPECT_EQ(more.here, Here::goes_on);
  EXPECT_FALSE(more.whole);
  EXPECT_EQ(more.text(), "orders@gamma added");
  EXPECT_EQ(only(in_force(), with("orders", {"alpha", "gamma"})).text(), "orders@gamma added, orders@beta forgotten");
  EXPECT_EQ(only(in_force(), with("orders", {"beta"})).here, Here::ends);
  EXPECT_EQ(only(with("orders", {"beta"}), in_force()).here, Here::begins);
}

TEST(Membership, OtherKeysAndAnotherOrderAreNoChange) {
  Config other = with("orders", {"beta", "alpha"});
  other.databases["orders"].path = "/elsewhere";
  EXPECT_TRUE(membership_changes(in_force(), other).empty());
}

TEST(Membership, WhatGoesOnKeepsItsOtherKeys) {
  Config read = with("orders", {"alpha", "gamma"});
  read.databases["orders"].path = "/elsewhere";
  Config config = in_force();
  take_membership(config, read, membership_changes(config, read));
  EXPECT_EQ(config.databases["orders"].copies, (std::vector<std::string>{"alpha", "gamma"}));
  EXPECT_EQ(config.databases["orders"].path, "/srv/orders.db");
}

TEST(Membership, WhatBeginsOrEndsIsAsTheFileSays) {
  Config config = in_force();
  Config read = with("mail", {"alpha"});
  read.databases.erase("orders");
  take_membership(config, read, membership_changes(config, read));
  EXPECT_EQ(config.databases.size(), 1u);
  EXPECT_EQ(config.databases["mail"].logs, "/srv/mail-log");
}

TEST(Membership, APassiveCopyMayGoOnEitherNode) {
  EXPECT_EQ(refusal(in_force(), with("orders", {"alpha"}), active_on("alpha")), "");
  EXPECT_EQ(refusal(in_force(), without_orders(), active_on("beta")), "");
  EXPECT_EQ(refusal(in_force(), with("orders", {"beta"}), active_on("beta")), "");
}

TEST(Membership, TheActiveCopyGoesOnlyAfterAMove) {
  EXPECT_EQ(refusal(in_force(), with("orders", {"beta"}), active_on("alpha")),
            "orders@alpha is the active copy: without it the others follow nobody | bring it to another node first: ccr move orders --to beta");
  EXPECT_EQ(refusal(in_force(), with("orders", {"alpha"}), active_on("beta")),
            "orders@beta is the active copy: without it the others follow nobody | ccr move orders --to alpha first, or ccr forget orders@alpha");
}

TEST(Membership, TheActiveDatabaseGoesWhenNobodyCountsOnIt) {
  MembershipFacts facts = active_on("alpha");
  EXPECT_EQ(refusal(in_force(), without_orders(), facts), "");
  facts.count_on_it = {"beta"};
  EXPECT_EQ(refusal(in_force(), without_orders(), facts),
            "orders@alpha is the active copy, and beta still has a copy that follows it | ccr forget orders on beta first");
  facts.count_on_it.clear();
  facts.silent = {"beta"};
  EXPECT_EQ(refusal(in_force(), without_orders(), facts),
            "orders@alpha is the active copy, and beta, which has a copy, cannot be asked whether it still counts on it | "
            "where that copy is gone for good: ccr forget orders@beta first");
}

TEST(Membership, NothingGoesInTheMiddleOfWorkOnIt) {
  MembershipFacts facts = active_on("beta");
  facts.seeding = true;
  EXPECT_EQ(refusal(in_force(), without_orders(), facts), "orders@alpha is being seeded | wait for its end, or end it: ccr suspend orders@alpha");
  facts = active_on("beta");
  facts.backing_up = true;
  EXPECT_NE(refusal(in_force(), without_orders(), facts), "");
  facts = active_on("alpha");
  facts.handing_over = true;
  EXPECT_NE(refusal(in_force(), with("orders", {"alpha"}), facts), "");
  facts = active_on("alpha");
  facts.seeds = {"beta"};
  EXPECT_EQ(refusal(in_force(), with("orders", {"alpha"}), facts),
            "orders@beta is being seeded | wait for its end, or end it on beta: ccr suspend orders@beta");
  EXPECT_EQ(refusal(in_force(), with("orders", {"alpha", "beta", "gamma"}), facts), "");  // others may come meanwhile
}

TEST(Membership, ANodeThatIsNotInForceCannotGetACopy) {
  Config read = with("mail", {"alpha", "delta"});
  read.nodes["delta"].name = "delta";
  EXPECT_NE(refusal(in_force(), read, {}), "");
}

TEST(Membership, TheFirstOfTheCopiesStaysTheFirst) {
  EXPECT_NE(refusal(in_force(), with("orders", {"gamma", "alpha", "beta"}), active_on("alpha")), "");
  EXPECT_EQ(refusal(with("orders", {"beta", "alpha"}), with("orders", {"alpha"}), active_on("alpha")), "");  // alpha became active, beta goes
}

TEST(Membership, CommitsThatWaitForAnotherCopyKeepOne) {
  Config before = in_force();
  before.databases["orders"].commit = CommitMode::durable;
  EXPECT_NE(refusal(before, with("orders", {"alpha"}), active_on("alpha")), "");
}

TEST(Membership, PlacesOfWhatStaysInForceAreTaken) {
  Config after = with("mail", {"alpha"});
  EXPECT_TRUE(check_places(after).ok());
  after.databases["mail"].path = "/srv/orders.db";
  EXPECT_EQ(check_places(after).error().kind, ErrorKind::refused);
}

TEST(Pins, OfNodesWithoutACopyAreDropped) {
  using storage::Pin;
  std::vector<Pin> pins{{Pin::Kind::copy, "beta", {}, false}, {Pin::Kind::copy, "gamma", {}, false}, {Pin::Kind::seed, "gamma", {}, false}};
  EXPECT_EQ(drop_foreign_pins(pins, {"alpha", "beta"}), (std::vector<std::string>{"gamma"}));
  EXPECT_EQ(pins, (std::vector<Pin>{{Pin::Kind::copy, "beta", {}, false}}));
}

}  // namespace ccr::engine::coming_and_going
