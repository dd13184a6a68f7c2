// A program that commits to its node's page store and reads it, through moves, outages and full disks, in the simulator.
#include <gtest/gtest.h>

#include "engine/embedded_store.h"
#include "tests/asked_nodes.h"

namespace ccr::sim::embedded {

using namespace std::chrono_literals;
using engine::EmbeddedStore;

class Embedded : public AskedNodes {
 protected:
  explicit Embedded(ClusterOptions options = {}) : AskedNodes(std::move(options)) {}

  template <class T>
  struct Call {
    explicit Call(EmbeddedStore s) : store(std::move(s)) {}
    EmbeddedStore store;
    std::optional<Result<T>> answer;
  };
  template <class T>
  using CallOf = std::shared_ptr<Call<T>>;

  void start() {
    cluster.start_all();
    ASSERT_TRUE(world.run_until([&] { return cluster.node("alpha") && cluster.node("beta"); }, 1s) == Ended::reached);
  }
  EmbeddedStore store_at(const std::string& node, std::string database) {
    engine::Node& here = *cluster.node(node);
    return {here, clock, std::move(database)};
  }
  static Task<Result<void>> run_commit(CallOf<void> call, std::vector<engine::PageWrite> pages) {
    call->answer = co_await call->store.commit(std::move(pages));
    co_return Result<void>();
  }
  static Task<Result<void>> run_read(CallOf<EmbeddedStore::Pages> call, PageNumber first, std::uint32_t count) {
    call->answer = co_await call->store.read(first, count);
    co_return Result<void>();
  }
  static Task<Result<void>> run_wait(CallOf<void> call, Duration limit) {
    call->answer = co_await call->store.wait_until_served(limit);
    co_return Result<void>();
  }
  CallOf<void> commit(const std::string& node, PageNumber page, char content, std::string database = Cluster::database) {
    auto call = std::make_shared<Call<void>>(store_at(node, std::move(database)));
    std::vector<engine::PageWrite> pages;
    pages.push_back({page, Bytes(cluster.page_size(), std::byte(content))});
    cluster.host(node).run_in_life(run_commit(call, std::move(pages)));
    return call;
  }
  template <class T>
  Result<T> end_of(const CallOf<T>& call, Duration limit = 10s) {
    if (world.run_until([&] { return call->answer.has_value(); }, limit) != Ended::reached) return Error{ErrorKind::timeout, "no answer", ""};
    return *call->answer;
  }
  Result<EmbeddedStore::Pages> read(const std::string& node, PageNumber first, std::uint32_t count) {
    auto call = std::make_shared<Call<EmbeddedStore::Pages>>(store_at(node, Cluster::database));
    cluster.host(node).run_in_life(run_read(call, first, count));
    return end_of(call);
  }
  Result<void> wait_until_served(const std::string& node, Duration limit) {
    auto call = std::make_shared<Call<void>>(store_at(node, Cluster::database));
    cluster.host(node).run_in_life(run_wait(call, limit));
    return end_of(call, limit + 10s);
  }
  // Without the model of TwoNodes: what is committed here it does not know.
  void copy() {
    cluster.start_all();
    ASSERT_TRUE(wait_for("alpha", "mounted") && wait_for("beta", "needs_seed"));
    ASSERT_TRUE(end_of(commit("alpha", 1, 'a')).ok());
    cluster.request_seed("beta");
    ASSERT_TRUE(wait_for("beta", "healthy"));
  }

  const ClockState told;
  SimClock clock{world, told};
};

TEST_F(Embedded, ReadsWhatItCommittedBefore) {
  start();
  EXPECT_EQ(end_of(commit("alpha", 1, 'x')).error().kind, ErrorKind::busy) << "it is starting";
  ASSERT_TRUE(wait_until_served("alpha", 5s).ok());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(end_of(commit("alpha", 3, static_cast<char>('a' + i))).ok());
    const Result<EmbeddedStore::Pages> pages = read("alpha", 2, 5);
    ASSERT_TRUE(pages.ok()) << pages.error().message;
    EXPECT_EQ(pages->page_size, cluster.page_size());
    EXPECT_EQ(pages->page_count, 3u);
    ASSERT_EQ(pages->images.size(), 2u * cluster.page_size()) << "pages 2 and 3";
    EXPECT_EQ(pages->images.front(), std::byte(0)) << "never written";
    EXPECT_EQ(pages->images.back(), std::byte('a' + i));
  }
}

TEST_F(Embedded, WrongCallsAreUsage) {
  copy();
  EXPECT_EQ(end_of(commit("alpha", 0, 'x')).error().kind, ErrorKind::usage);
  EXPECT_EQ(end_of(commit("alpha", 1, 'x', "mail")).error().kind, ErrorKind::not_found);
  EXPECT_EQ(read("alpha", 0, 1).error().kind, ErrorKind::usage);
  EXPECT_EQ(read("alpha", 1, 1 << 20).error().kind, ErrorKind::usage);
}

TEST_F(Embedded, APassiveNodeNamesTheActiveOne) {
  copy();
  const Result<void> refused = end_of(commit("beta", 1, 'x'));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::unreachable);
  EXPECT_EQ(refused.error().message, "the active copy of orders is on alpha");
  EXPECT_EQ(read("beta", 1, 1).error().kind, ErrorKind::unreachable);
  const Result<void> waited = wait_until_served("beta", 2s);
  EXPECT_EQ(waited.error().kind, ErrorKind::timeout);
}

// Commits run all the time while the store moves: each is answered, or says where it went; the answered ones are there.
TEST_F(Embedded, CommitsAreToldThatTheStoreMovedAway) {
  copy();
  std::vector<CallOf<void>> calls;
  std::shared_ptr<Asked> moved;
  while ((!moved || !moved->answer) && calls.size() < 20'000) {
    if (calls.size() == 300) moved = ask("alpha", {{"command", "move"}, {"to", "beta"}});
    calls.push_back(commit("alpha", 2 + static_cast<PageNumber>(calls.size() % 500), static_cast<char>(calls.size())));
    world.run_for(1ms);
  }
  ASSERT_TRUE(moved && moved->answer && moved->answer->ok()) << cluster.story();
  calls.push_back(commit("alpha", 1, 'z'));
  std::size_t answered = 0, away = 0;
  std::map<PageNumber, std::size_t> newest;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Result<void> end = end_of(calls[i]);
    if (end.ok()) {
      ++answered;
      newest[2 + static_cast<PageNumber>(i % 500)] = i;
      continue;
    }
    EXPECT_EQ(end.error().kind, ErrorKind::unreachable) << i << ": " << end.error().message;
    EXPECT_NE(end.error().message.find("on beta"), std::string::npos) << end.error().message;
    ++away;
  }
  EXPECT_GE(answered, 300u);
  EXPECT_GT(away, 1u);
  ASSERT_TRUE(wait_until_served("beta", 10s).ok()) << cluster.story();
  for (const auto& [page, call] : newest) {
    const Result<EmbeddedStore::Pages> there = read("beta", page, 1);
    ASSERT_TRUE(there.ok()) << there.error().message;
    EXPECT_EQ(there->images.at(0), static_cast<std::byte>(call)) << "page " << page;
  }
  EXPECT_TRUE(end_of(commit("beta", 1, 'b')).ok());
}

class EmbeddedOnAFullDisk : public Embedded {
 protected:
  static ClusterOptions small() {
    ClusterOptions options;
    options.disk.capacity_bytes = 8 * MiB;
    return options;
  }
  EmbeddedOnAFullDisk() : Embedded(small()) {}
};

TEST_F(EmbeddedOnAFullDisk, SaysSoAndServesAgainWhenThereIsRoom) {
  start();
  ASSERT_TRUE(wait_until_served("alpha", 5s).ok());
  PageNumber page = 0;
  Result<void> end;
  while (end.ok() && page < 40'000) end = end_of(commit("alpha", ++page, 'p'));
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().kind, ErrorKind::no_space) << end.error().message;
  world.run_for(100ms);
  EXPECT_EQ(end_of(commit("alpha", page, 'q')).error().kind, ErrorKind::no_space);
  cluster.host("alpha").disk().options().capacity_bytes = 64 * MiB;
  ASSERT_TRUE(wait_until_served("alpha", 60s).ok()) << cluster.story();
  const Result<EmbeddedStore::Pages> kept = read("alpha", page - 1, 1);
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(kept->images.at(0), std::byte('p'));
  EXPECT_TRUE(end_of(commit("alpha", page, 'q')).ok());
}

std::size_t reserves_of(SimDisk& disk) {
  std::size_t files = 0;
  for (const char* path : {"/log/reserve.0", "/log/reserve.1"}) files += disk.state().find(path).ok() ? 1 : 0;
  return files;
}

// The room goes while commits are under way: each of them is answered well, the next one is not, and a restart serves nothing before there is room.
TEST_F(EmbeddedOnAFullDisk, WhatIsUnderWayIsFinishedInTheReserve) {
  start();
  ASSERT_TRUE(wait_until_served("alpha", 5s).ok());
  SimDisk& disk = cluster.host("alpha").disk();
  ASSERT_EQ(reserves_of(disk), 2u);
  PageNumber page = 0;
  while (page < 2'000) ASSERT_TRUE(end_of(commit("alpha", ++page % 500 + 1, 'p')).ok());
  disk.options().capacity_bytes = disk.state().used_bytes();
  std::vector<CallOf<void>> calls;
  while (reserves_of(disk) == 2 && page < 20'000) {
    calls.push_back(commit("alpha", ++page % 500 + 1, 'r'));
    world.run_for(100us);
  }
  ASSERT_LT(reserves_of(disk), 2u);
  ASSERT_TRUE(world.run_until([&] { return cluster.state("alpha") == "dismounted"; }, 5s) == Ended::reached) << cluster.story();
  EXPECT_NE(row_of("alpha", "alpha")["cause"].get<std::string>().find("in the log's reserve"), std::string::npos) << row_of("alpha", "alpha");
  std::size_t well = 0;
  for (const CallOf<void>& call : calls) {
    ASSERT_TRUE(call->answer.has_value());
    well += call->answer->ok() ? 1 : 0;
  }
  EXPECT_GE(well + 3, calls.size()) << "what was begun behind the last sync";
  cluster.host("alpha").kill({Damage::lose_unsynced, Ordering::ordered});
  cluster.host("alpha").start();
  ASSERT_TRUE(world.run_until([&] { return cluster.state("alpha") == "dismounted"; }, 10s) == Ended::reached) << cluster.story();
  EXPECT_FALSE(wait_until_served("alpha", 5s).ok());
  EXPECT_NE(row_of("alpha", "alpha")["cause"].get<std::string>().find("no space left"), std::string::npos) << row_of("alpha", "alpha");
  disk.options().capacity_bytes = 64 * MiB;
  ASSERT_TRUE(wait_until_served("alpha", 60s).ok()) << cluster.story();
  EXPECT_EQ(reserves_of(disk), 2u);
  EXPECT_TRUE(end_of(commit("alpha", 7, 'q')).ok());
}

}  // namespace ccr::sim::embedded
