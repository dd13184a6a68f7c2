// Databases and copies come and go while nodes run, load flows and others go on: whole nodes in the simulator.
#include <gtest/gtest.h>

#include <memory>

#include "tests/asked_nodes.h"

namespace ccr::sim::membership {

using namespace std::chrono_literals;

using Copies = std::vector<std::string>;

// What the file of each node says now, of whatever life of the node. Empty copies: no table.
struct Files {
  std::map<std::string, Copies> orders{{"alpha", {"alpha", "beta"}}, {"beta", {"alpha", "beta"}}};
  std::map<std::string, Copies> mail;
  std::string mail_path = "/data/mail.pages";
};

void read_file(const Files& files, const std::string& node, engine::Config& config) {
  engine::DatabaseConfig mail = config.databases.at(Cluster::database);
  const Copies orders = files.orders.at(node);
  config.databases.at(Cluster::database).copies = orders;
  if (orders.empty()) config.databases.clear();
  const auto found = files.mail.find(node);
  if (found == files.mail.end()) return;
  mail.name = "mail";
  mail.path = files.mail_path;
  mail.logs = "/mail-log";
  mail.copies = found->second;
  config.databases.emplace("mail", mail);
}

ClusterOptions options_with(const std::shared_ptr<Files>& files) {
  ClusterOptions options;
  options.configure = [files](const std::string& node, engine::Config& config) { read_file(*files, node, config); };
  return options;
}

class ComingAndGoing : public AskedNodes {
 protected:
  ComingAndGoing() : ComingAndGoing(std::make_shared<Files>()) {}
  explicit ComingAndGoing(const std::shared_ptr<Files>& f) : AskedNodes(options_with(f)), files(f) {}

  struct Reload {
    engine::Config read;
    std::optional<Result<void>> outcome;
  };
  static Task<Result<void>> reload_in(engine::Node& node, std::shared_ptr<Reload> reload) {
    const Result<std::vector<engine::MembershipChange>> changes = co_await node.judge_membership(reload->read);
    Result<void> outcome;
    if (changes.ok()) outcome = co_await node.take_membership(reload->read, *changes);
    else outcome = changes.error();
    reload->outcome = outcome;
    co_return Result<void>();
  }
  // What SIGHUP does: the node's file is read, and what may come and go does.
  Result<void> reload(const std::string& node, Duration limit = 30s) {
    auto asked = std::make_shared<Reload>();
    asked->read = cluster.config_of(node);
    cluster.host(node).run_in_life(reload_in(*cluster.node(node), asked));
    if (world.run_until([&] { return asked->outcome.has_value(); }, limit) != Ended::reached) return Error{ErrorKind::timeout, "no answer", cluster.story()};
    return *asked->outcome;
  }
  std::string refusal(const std::string& node) {
    const Result<void> outcome = reload(node);
    EXPECT_FALSE(outcome.ok());
    return outcome.ok() ? "" : outcome.error().message;
  }
  void expect_taken(const std::string& node) {
    const Result<void> outcome = reload(node);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message << "\n" << cluster.story();
  }
  std::string state_of(const std::string& node, const std::string& database) {
    const engine::Hosted* hosted = cluster.node(node)->find(database);
    return hosted == nullptr ? "" : std::string(engine::name_of(hosted->standing->state()));
  }
  bool wait_mail(const std::string& node, const std::string& state) {
    const bool reached = world.run_until([&] { return state_of(node, "mail") == state; }, 60s) == Ended::reached;
    EXPECT_TRUE(reached) << "mail@" << node << " is " << state_of(node, "mail") << "\n" << cluster.story();
    return reached;
  }
  const std::vector<storage::Pin>& pins() { return cluster.active("alpha")->state().pins; }
  bool same_configuration(const std::string& node) {
    for (const auto& [peer, told] : cluster.node(node)->peers())
      if (!told.configuration_equal) return false;
    return true;
  }
  std::size_t changes_with(const std::string& copy, const std::string& word) {
    std::size_t count = 0;
    for (const std::string& line : cluster.events_of("state_changed"))
      count += line.find(copy) != std::string::npos && line.find(word) != std::string::npos ? 1 : 0;
    return count;
  }
  std::size_t changes_of_orders() { return changes_with("orders@", ""); }
  std::size_t mounts_of(const std::string& node) { return changes_with("orders@" + node, "mounted"); }

  std::shared_ptr<Files> files;
};

TEST_F(ComingAndGoing, ADatabaseComesAndGoesBesideOneThatIsWritten) {
  seed();
  const std::size_t changes = changes_of_orders();
  const std::uint64_t connection = cluster.hosted("alpha")->copies->of("beta").connection_number;
  for (const char* node : {"alpha", "beta"}) files->mail[node] = {"alpha", "beta"};
  expect_taken("alpha");
  write(20);
  expect_taken("beta");
  ASSERT_TRUE(wait_mail("alpha", "mounted"));
  ASSERT_TRUE(wait_mail("beta", "needs_seed"));
  cluster.request("beta", R"({"command":"seed","database":"mail","node":"beta","detach":true})");
  write(20);
  ASSERT_TRUE(wait_mail("beta", "healthy"));
  EXPECT_TRUE(world.run_until([&] { return same_configuration("alpha") && same_configuration("beta"); }, 10s) == Ended::reached);
  files->mail.clear();
  expect_taken("beta");
  EXPECT_EQ(cluster.node("beta")->find("mail"), nullptr);
  write(20);
  expect_taken("alpha");
  EXPECT_EQ(cluster.node("alpha")->databases().size(), 1u);
  EXPECT_EQ(changes_of_orders(), changes) << cluster.story();
  EXPECT_EQ(cluster.hosted("alpha")->copies->of("beta").connection_number, connection);
  expect_equal();
}

TEST_F(ComingAndGoing, ADatabaseThatWasForgottenIsFoundAgainWithItsHistory) {
  files->mail = {{"alpha", {"alpha", "beta"}}, {"beta", {"alpha", "beta"}}};
  seed();
  cluster.request("beta", R"({"command":"seed","database":"mail","node":"beta","detach":true})");
  ASSERT_TRUE(wait_mail("beta", "healthy"));
  const Signature signature = cluster.node("alpha")->find("mail")->active->state().signature;
  const std::map<std::string, Copies> before = files->mail;
  files->mail.clear();
  expect_taken("beta");
  expect_taken("alpha");
  world.run_for(5s);
  files->mail = before;
  expect_taken("alpha");
  expect_taken("beta");
  ASSERT_TRUE(wait_mail("alpha", "mounted"));
  ASSERT_TRUE(wait_mail("beta", "healthy"));
  EXPECT_EQ(cluster.node("alpha")->find("mail")->active->state().signature, signature);
  expect_equal();
}

TEST_F(ComingAndGoing, ALogPinEndsWithItsCopy) {
  seed();
  ASSERT_TRUE(drain());
  ASSERT_EQ(pins().size(), 1u);
  files->orders["alpha"] = {"alpha"};
  expect_taken("alpha");
  EXPECT_TRUE(pins().empty());
  EXPECT_EQ(cluster.state("alpha"), "mounted");
  write(50);
  ASSERT_TRUE(world.run_until([&] { return cluster.pending() == 0; }, 10s) == Ended::reached);
  EXPECT_NE(cluster.state("beta"), "healthy");  // its file still names it, and alpha says no
  EXPECT_TRUE(world.run_until([&] { return !same_configuration("beta"); }, 40s) == Ended::reached);  // and both nodes say that they differ
  EXPECT_FALSE(same_configuration("alpha"));
  EXPECT_TRUE(pins().empty());
  files->orders["alpha"] = {"alpha", "beta"};
  expect_taken("alpha");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(ComingAndGoing, ACopyThatComesBackAfterItsLogIsGoneSaysSoAndIsSeeded) {
  seed();
  ASSERT_TRUE(drain());
  for (const char* node : {"alpha", "beta"}) files->orders[node] = {"alpha"};
  expect_taken("beta");
  expect_taken("alpha");
  EXPECT_EQ(cluster.state("beta"), "");
  EXPECT_TRUE(world.run_until([&] { return same_configuration("alpha") && same_configuration("beta"); }, 10s) == Ended::reached);
  write(900);
  world.run_for(3min);  // nothing holds the log any more
  for (const char* node : {"alpha", "beta"}) files->orders[node] = {"alpha", "beta"};
  expect_taken("alpha");
  expect_taken("beta");
  ASSERT_TRUE(world.run_until([&] { return cluster.passive("beta") && cluster.passive("beta")->opened() && cluster.state("beta") != "initializing"; }, 30s) == Ended::reached);
  world.run_for(10s);
  if (cluster.state("beta") != "healthy") cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

TEST_F(ComingAndGoing, TheActiveCopyStaysWhileAnotherNodeCountsOnIt) {
  seed();
  files->orders["alpha"] = {};
  EXPECT_EQ(refusal("alpha"), "orders@alpha is the active copy, and beta still has a copy that follows it");
  EXPECT_EQ(cluster.state("alpha"), "mounted");
  write(10);
  ASSERT_TRUE(drain());
  cluster.host("beta").stop();
  EXPECT_EQ(refusal("alpha"), "orders@alpha is the active copy, and beta, which has a copy, cannot be asked whether it still counts on it");
  files->orders["beta"] = {};
  cluster.host("beta").start();
  world.run_for(5s);
  expect_taken("alpha");
  EXPECT_EQ(cluster.state("alpha"), "");
}

TEST_F(ComingAndGoing, NothingIsTakenWhereOneChangeIsRefused) {
  seed();
  files->orders["alpha"] = {};
  files->mail["alpha"] = {"alpha"};
  EXPECT_NE(refusal("alpha"), "");
  EXPECT_EQ(cluster.node("alpha")->find("mail"), nullptr);
  files->orders["alpha"] = {"alpha", "beta"};
  files->mail_path = "/data/orders.pages";
  EXPECT_NE(refusal("alpha"), "");
  EXPECT_EQ(cluster.node("alpha")->find("mail"), nullptr);
}

TEST_F(ComingAndGoing, ACopyIsNotForgottenWhileItIsSeeded) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  ASSERT_TRUE(wait_for("beta", "needs_seed"));
  write(300);
  cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "seeding"));
  for (const char* node : {"alpha", "beta"}) files->orders[node] = {"alpha"};
  EXPECT_EQ(refusal("beta"), "orders@beta is being seeded");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_taken("beta");
  expect_taken("alpha");
}

TEST_F(ComingAndGoing, ACopyThatWasForgottenWhileTheNodeWasDownHoldsNoLogEither) {
  seed();
  ASSERT_TRUE(drain());
  cluster.host("alpha").stop();
  files->orders["alpha"] = {"alpha"};
  cluster.host("alpha").start();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  EXPECT_TRUE(pins().empty());
}

// Its state is a passive copy's; alone in the table it would be an active one, beside that on alpha.
TEST_F(ComingAndGoing, AStateOfAnotherRoleIsNotTakenForTheActiveOne) {
  seed();
  ASSERT_TRUE(drain());
  files->orders["beta"] = {};
  expect_taken("beta");
  files->orders["beta"] = {"beta"};
  expect_taken("beta");
  ASSERT_TRUE(wait_for("beta", "dismounted"));
  EXPECT_NE(cluster.hosted("beta")->standing->cause().find("is of a copy whose active one is on alpha"), std::string::npos);
  files->orders["beta"] = {};
  expect_taken("beta");
  files->orders["beta"] = {"alpha", "beta"};
  expect_taken("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

// A node that was told nothing meanwhile asks before it serves.
TEST_F(ComingAndGoing, ACopyThatBeginsLaterAsksWhoIsActive) {
  seed();
  ASSERT_TRUE(drain());
  world.run_for(5s);
  for (const char* node : {"alpha", "beta"}) files->orders[node] = {};
  expect_taken("beta");
  expect_taken("alpha");
  for (const char* node : {"alpha", "beta"}) files->orders[node] = {"alpha", "beta"};
  expect_taken("beta");
  ASSERT_TRUE(world.run_until([&] { return cluster.passive("beta") && cluster.passive("beta")->opened(); }, 20s) == Ended::reached);
  const Result<json> activated = answer_of("beta", {{"command", "activate"}, {"on", "beta"}, {"dial", "force"}});
  ASSERT_TRUE(activated.ok()) << activated.error().message;
  ASSERT_TRUE(wait_for("beta", "mounted"));
  const std::size_t mounts = mounts_of("alpha");
  expect_taken("alpha");
  ASSERT_TRUE(world.run_until([&] { return cluster.passive("alpha") && cluster.passive("alpha")->opened(); }, 20s) == Ended::reached) << cluster.story();
  EXPECT_EQ(cluster.hosted("alpha")->role.active, "beta");
  EXPECT_EQ(mounts_of("alpha"), mounts) << cluster.story();
}

// Whoever watches hears of it, and nobody waits for ever.
TEST_F(ComingAndGoing, CommandsOfADatabaseThatGoesEnd) {
  seed();
  ASSERT_TRUE(drain());
  const std::shared_ptr<Asked> load = ask("alpha", {{"command", "load"}, {"seconds", 600}, {"rate_bytes_per_second", 100'000}});
  const std::shared_ptr<Asked> wait = ask("beta", {{"command", "wait"}, {"for", "suspended"}, {"timeout_seconds", 600}});
  const std::shared_ptr<Asked> verify = ask("beta", {{"command", "verify"}, {"rate", 1000}});
  world.run_for(1s);
  EXPECT_FALSE(load->answer || wait->answer || verify->answer);
  for (const char* node : {"alpha", "beta"}) files->orders[node] = {};
  expect_taken("beta");
  expect_taken("alpha");
  world.run_until([&] { return load->answer && wait->answer && verify->answer; }, 10s);
  ASSERT_TRUE(load->answer.has_value());
  ASSERT_TRUE(wait->answer.has_value());
  ASSERT_TRUE(verify->answer.has_value());
  EXPECT_EQ(wait->answer->error().kind, ErrorKind::not_found);
  EXPECT_FALSE(verify->answer->ok());
  const Result<json> unknown = answer_of("alpha", {{"command", "suspend"}});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().kind, ErrorKind::not_found);
}

TEST_F(ComingAndGoing, ASeedThatRestsEndsForWhoeverAttachesWhenItsCopyGoes) {
  cluster.start_all();
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  ASSERT_TRUE(wait_for("beta", "needs_seed"));
  fill(20'000);
  const std::shared_ptr<Asked> attached = ask("beta", {{"command", "seed"}, {"rate", 500'000}});
  ASSERT_TRUE(wait_for("beta", "seeding"));
  cluster.request_suspend("beta");
  ASSERT_TRUE(wait_for("beta", "suspended"));
  files->orders["beta"] = {"alpha"};
  expect_taken("beta");
  ASSERT_TRUE(world.run_until([&] { return attached->answer.has_value(); }, 10s) == Ended::reached);
  EXPECT_FALSE(attached->answer->ok());
}

// A copy that agreed to take over is counted on.
TEST_F(ComingAndGoing, ACopyStaysWhileItIsToBecomeTheActiveOne) {
  seed();
  ASSERT_TRUE(drain());
  const std::shared_ptr<Asked> moved = ask("alpha", {{"command", "move"}, {"to", "beta"}});
  ASSERT_TRUE(world.run_until([&] { return cluster.hosted("beta")->prepared != 0; }, 10s) == Ended::reached);
  files->orders["beta"] = {};
  EXPECT_EQ(refusal("beta"), "the active copy of orders is changing");
  ASSERT_TRUE(wait_for("beta", "mounted"));
  EXPECT_EQ(refusal("beta"), "orders@beta is the active copy, and alpha still has a copy that follows it");
  files->orders = {{"alpha", {"beta"}}, {"beta", {"beta"}}};
  ASSERT_TRUE(wait_for("alpha", "healthy"));
  expect_taken("alpha");  // the first of the file is the active one now
  expect_taken("beta");
  EXPECT_EQ(cluster.state("beta"), "mounted");
}

class AnyOrder : public ComingAndGoing, public testing::WithParamInterface<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, AnyOrder, testing::Range<std::uint64_t>(1, 9));

// Whatever comes and goes in which order, with nodes that die in between: no commit is lost, and in the end there are two equal copies.
TEST_P(AnyOrder, EndsInTwoEqualCopies) {
  random = Random(GetParam());
  seed();
  for (int step = 0; step < 40; ++step) {
    const std::string node = random.below(2) == 0 ? "alpha" : "beta";
    Copies& copies = files->orders[node];
    const Copies before = copies;
    copies = random.below(2) == 0 ? Copies{"alpha", "beta"} : node == "beta" && random.below(2) == 0 ? Copies{} : Copies{"alpha"};
    if (random.below(4) == 0) {
      const bool power_cut = random.below(2) == 0;
      cluster.host(node).kill(power_cut ? draw_power_cut(random) : CrashStyle{Damage::process_only, Ordering::ordered});
      cluster.host(node).start();
      ASSERT_TRUE(world.run_until([&] { return cluster.node(node) != nullptr; }, 10s) == Ended::reached);
    } else if (!reload(node).ok()) {
      copies = before;
    }
    if (cluster.active("alpha")) write(static_cast<int>(random.below(30)));
    world.run_for(std::chrono::milliseconds(random.below(3000)));
    if (cluster.passive("beta") && random.below(4) == 0) cluster.request_seed("beta");
  }
  for (const char* each : {"alpha", "beta"}) files->orders[each] = {"alpha", "beta"};
  ASSERT_TRUE(world.run_until([&] { return reload("alpha").ok() && reload("beta").ok(); }, 60s) == Ended::reached);
  ASSERT_TRUE(wait_for("alpha", "mounted"));
  world.run_for(20s);
  if (cluster.state("beta") != "healthy") cluster.request_seed("beta");
  ASSERT_TRUE(wait_for("beta", "healthy"));
  expect_equal();
}

}  // namespace ccr::sim::membership
