#include "engine/config.h"

#include <gtest/gtest.h>

#include "tests/config_example.h"

namespace ccr::engine {
namespace {

using namespace std::chrono_literals;

Config parsed(const std::string& text, const std::string& node = "alpha") {
  const Result<Config> config = parse_config(text, "ccr.toml", node);
  EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.error().message);
  return config.ok() ? *config : Config{};
}

std::string with(std::string text, const std::string& old_part, const std::string& new_part) {
  const std::size_t at = text.find(old_part);
  EXPECT_NE(at, std::string::npos) << old_part;
  return text.replace(at, old_part.size(), new_part);
}

TEST(Config, TheExampleOfTheManualIsRead) {
  const Config config = parsed(example_config, "beta");
  EXPECT_EQ(config.cluster, "lab");
  EXPECT_EQ(config.node, "beta");
  EXPECT_EQ(config.state_dir, "/var/lib/ccr/beta");
  EXPECT_EQ(config.control_socket, "/var/lib/ccr/beta/control.sock");
  EXPECT_TRUE(config.tls_off);
  EXPECT_EQ(config.tls_cert, "/etc/ccr/tls/beta.pem");
  ASSERT_EQ(config.nodes.size(), 2u);
  EXPECT_EQ(config.nodes.at("alpha").addresses.at(1).text(), "10.78.0.1:64327");
  ASSERT_EQ(config.databases.size(), 1u);
  const DatabaseConfig& orders = config.databases.at("orders");
  EXPECT_EQ(orders.kind, DatabaseKind::sqlite);
  EXPECT_EQ(orders.path, "/srv/orders/orders.db");
  EXPECT_EQ(orders.logs, "/srv/orders-log");
  EXPECT_EQ(orders.copies, (std::vector<std::string>{"alpha", "beta"}));
  EXPECT_EQ(orders.generation_bytes, 1'048'576u);
  EXPECT_EQ(orders.log_budget_bytes, 68'719'476'736u);
  EXPECT_EQ(orders.replay_lag.at("beta"), Duration::zero());
  EXPECT_FALSE(orders.seed_auto);
  EXPECT_EQ(config.transport.seed_bytes_per_second, 0u);
  EXPECT_EQ(config.transport.heartbeat_interval, 1200ms);
  EXPECT_EQ(config.transport.heartbeat_missed, 4);
  EXPECT_EQ(config.verify_bytes_per_second, 200'000'000u);
  EXPECT_EQ(config.scrub.every, 7 * 24h);
  EXPECT_EQ(config.scrub.bytes_per_second, 20'000'000u);
  EXPECT_FALSE(config.scrub.only_idle);
  EXPECT_TRUE(config.warnings.empty());
}

TEST(Config, EachCopyHasLagsOfItsOwn) {
  const Config config = parsed(with(example_config, "replay_lag      = { beta = \"0s\" }", "replay_lag = { beta = \"1h\" }\ntruncation_lag = { alpha = \"2d\" }"), "beta");
  const DatabaseConfig& orders = config.databases.at("orders");
  EXPECT_EQ(lag_of(orders.replay_lag, "beta"), 1h);
  EXPECT_EQ(lag_of(orders.replay_lag, "alpha"), 0s);
  EXPECT_EQ(lag_of(orders.truncation_lag, "alpha"), 48h);
  EXPECT_NE(show_config(config).find("replay_lag = { beta = \"3600s\" }\ntruncation_lag = { alpha = \"172800s\" }"), std::string::npos);
}

TEST(Config, DefaultsStandForEveryKeyThatMayBeLeftOut) {
  const Config config = parsed(R"(
cluster = "lab"
[tls]
mode = "off"
[nodes.alpha]
addresses = ["127.0.0.1:1"]
[databases.orders]
path = "/a/orders.db"
logs = "/a/log"
copies = ["alpha"]
)");
  const DatabaseConfig& orders = config.databases.at("orders");
  EXPECT_EQ(orders.kind, DatabaseKind::sqlite);
  EXPECT_EQ(orders.generation_bytes, 1 * MiB);
  EXPECT_EQ(orders.log_budget_bytes, 64 * GiB);
  EXPECT_EQ(orders.wal_limit_bytes, 4 * MiB);
  EXPECT_EQ(orders.catch_up_limit_bytes, 64 * MiB);
  EXPECT_EQ(orders.page_size, 4096u);
  EXPECT_EQ(config.transport.window, "auto");
  EXPECT_EQ(config.transport.heartbeat_missed, 4);
}

TEST(Config, EveryFurtherKeyOfADatabaseIsRead) {
  const Config config =
      parsed(with(example_config, "kind   = \"sqlite\"",
                  "kind = \"pages\"\nwal_limit = \"8MiB\"\ncatch_up_limit = 4096\npage_size = 8192\nseed = \"auto\"\ncommit = \"durable\"\ncommit_fallback = \"10s\""));
  const DatabaseConfig& orders = config.databases.at("orders");
  EXPECT_EQ(orders.kind, DatabaseKind::pages);
  EXPECT_EQ(orders.wal_limit_bytes, 8 * MiB);
  EXPECT_EQ(orders.catch_up_limit_bytes, 4096u);
  EXPECT_EQ(orders.page_size, 8192u);
  EXPECT_EQ(orders.commit, CommitMode::durable);
  EXPECT_EQ(orders.commit_fallback, std::chrono::seconds(10));
  EXPECT_TRUE(orders.seed_auto);
}

TEST(Config, TheNodesNameReplacesItsPlaceholderEverywhere) {
  std::string text = with(example_config, "cluster = \"lab\"",
                          "cluster = \"lab\"\nstate_dir = \"/x/{node}/state\"\ncontrol_socket = \"/run/{node}.sock\"");
  text = with(text, "/srv/orders/orders.db", "/srv/{node}/{node}.db");
  text = with(text, "/srv/orders-log", "/srv/{node}-log");
  const Config config = parsed(text, "beta");
  EXPECT_EQ(config.state_dir, "/x/beta/state");
  EXPECT_EQ(config.control_socket, "/run/beta.sock");
  EXPECT_EQ(config.databases.at("orders").path, "/srv/beta/beta.db");
  EXPECT_EQ(config.databases.at("orders").logs, "/srv/beta-log");
  EXPECT_EQ(config.tls_key, "/etc/ccr/tls/beta.key");
}

TEST(Config, TlsIsRequiredWhereTheFileDoesNotSayOff) {
  const Config silent = parsed(with(example_config, "mode = \"off\"\n", ""), "beta");
  EXPECT_FALSE(silent.tls_off);
  const std::size_t from = example_config.find("[tls]");
  std::string without = example_config;
  without.erase(from, example_config.find("[databases") - from);
  const Config config = parsed(without, "beta");
  EXPECT_FALSE(config.tls_off);
  EXPECT_EQ(config.tls_ca, "/etc/ccr/tls/ca.pem");
  EXPECT_EQ(config.tls_cert, "/etc/ccr/tls/beta.pem");
  EXPECT_EQ(config.tls_key, "/etc/ccr/tls/beta.key");
}

TEST(Config, AFileCheckedForNoNodeInParticularKeepsThePlaceholder) {
  EXPECT_EQ(parsed(example_config, "").state_dir, "/var/lib/ccr/{node}");
}

TEST(Config, TwoNodesOfOneHostAreServedWhenEachHasItsOwnPlaces) {
  std::string text = with(example_config, "10.77.0.2:64327\", \"10.78.0.2:64327", "10.77.0.1:64328");
  text = with(text, "/srv/orders/orders.db", "/srv/{node}/orders.db");
  text = with(text, "/srv/orders-log", "/srv/{node}/orders-log");
  EXPECT_EQ(parsed(text).nodes.size(), 2u);
}

TEST(Config, ASeedHasAsManyStreamsAsItSays) {
  EXPECT_EQ(parsed(example_config).transport.streams, "auto");
  EXPECT_EQ(parsed(with(example_config, "streams     = \"auto\"", "streams = \"64\"")).transport.streams, "64");
  for (const char* wrong : {"0", "65", "04", "many"})
    EXPECT_FALSE(parse_config(with(example_config, "streams     = \"auto\"", std::string("streams = \"") + wrong + "\""), "ccr.toml", "beta").ok()) << wrong;
}

TEST(Config, AWindowIsASizeOrAutoAndACongestionControlIsAName) {
  EXPECT_EQ(parsed(example_config).transport.window_bytes, 0u);
  std::string text = with(example_config, "window      = \"auto\"", "window = \"8MiB\"");
  text = with(text, "congestion  = \"auto\"", "congestion = \"bbr2\"");
  const Config config = parsed(text);
  EXPECT_EQ(config.transport.window_bytes, 8 * MiB);
  EXPECT_EQ(config.transport.congestion, "bbr2");
  EXPECT_TRUE(config.warnings.empty());
}

TEST(Config, CompressionIsAWordOrALevelWithAShareOfMemory) {
  EXPECT_EQ(parsed(example_config).transport.compression_memory_bytes, 160 * MiB);
  const std::string text = with(example_config, "compression = \"auto\"", "compression = \"zstd:19\"\ncompression_memory = \"1GiB\"");
  const Config config = parsed(text);
  EXPECT_EQ(config.transport.compression, "zstd:19");
  EXPECT_EQ(config.transport.compression_memory_bytes, GiB);
  EXPECT_TRUE(config.warnings.empty());
}

TEST(Config, WordsThatChangeNothingGiveNoWarning) {
  std::string text = with(example_config, "congestion  = \"auto\"", "congestion = \"default\"");
  text = with(text, "compression = \"auto\"", "compression = \"none\"");
  EXPECT_TRUE(parsed(text).warnings.empty());
}

TEST(Config, WhatIsShownIsReadBackEqual) {
  std::string text = with(example_config, "seed_rate   = \"unlimited\"", "seed_rate = \"1Gbit\"");
  text = with(text, "interval = \"1.2s\"", "interval = \"1500ms\"");
  text = with(text, "rate = \"200MB/s\"", "rate = \"unlimited\"");
  text = with(text, "mode = \"off\"", "mode = \"off\"\ndenied = [\"00:0A:1b\", \"22\", \"fff\"]");
  text = with(text, "[nodes.beta]\n", "[nodes.beta]\npins = [\"" + std::string(64, 'A') + "\"]\n");
  text = with(text, "kind   = \"sqlite\"", "kind = \"pages\"\nwal_limit = 70000\nseed = \"auto\"");
  const Config config = parsed(text);
  const std::string shown = show_config(config);
  EXPECT_EQ(show_config(parsed(shown)), shown);
  EXPECT_EQ(shown, R"(cluster = "lab"
state_dir = "/var/lib/ccr/alpha"
control_socket = "/var/lib/ccr/alpha/control.sock"

[nodes.alpha]
addresses = ["10.77.0.1:64327", "10.78.0.1:64327"]

[nodes.beta]
addresses = ["10.77.0.2:64327", "10.78.0.2:64327"]
pins = ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]

[tls]
mode = "off"
ca = "/etc/ccr/tls/ca.pem"
cert = "/etc/ccr/tls/alpha.pem"
key = "/etc/ccr/tls/alpha.key"
denied = ["0a1b", "22", "0fff"]

[databases.orders]
kind = "pages"
path = "/srv/orders/orders.db"
logs = "/srv/orders-log"
copies = ["alpha", "beta"]
generation_size = "1MiB"
log_budget = "64GiB"
log_budget_end = "drop"
retention = "circular"
wal_limit = "70000"
wal_budget = "1GiB"
catch_up_limit = "64MiB"
page_size = 4096
seed = "auto"
commit = "async"
commit_fallback = "0s"
replay_lag = { beta = "0s" }

[transport]
window = "auto"
congestion = "auto"
compression = "auto"
compression_memory = "160MiB"
streams = "auto"
seed_rate = "125MB/s"
heartbeat = { interval = "1500ms", missed = 4 }

[verify]
rate = "unlimited"

[scrub]
every = "604800s"
rate = "20MB/s"
when = "always"
)");
}

TEST(Config, LogIsKeptForACopyForABackupOrForATime) {
  const auto retention = [](const std::string& text) {
    const Config config = parsed(with(example_config, "log_budget      = \"64GiB\"", "retention = \"" + text + "\""));
    EXPECT_EQ(show_config(parsed(show_config(config))), show_config(config));
    EXPECT_NE(show_config(config).find("retention = \"" + text + "\""), std::string::npos);
    return config.databases.at("orders").retention;
  };
  EXPECT_EQ(retention("circular"), Retention{});
  EXPECT_EQ(retention("until-backup"), (Retention{Retention::Kind::until_backup, {}}));
  EXPECT_EQ(retention("keep 7d"), (Retention{Retention::Kind::keep, 7 * 24h}));
  EXPECT_EQ(retention("keep 36h"), (Retention{Retention::Kind::keep, 36h}));
  EXPECT_EQ(retention("keep 90s"), (Retention{Retention::Kind::keep, 90s}));
  EXPECT_EQ(retention("keep 1500ms"), (Retention{Retention::Kind::keep, 1500ms}));
  EXPECT_EQ(retention("keep 1000000001ns"), (Retention{Retention::Kind::keep, 1'000'000'001ns}));
}

TEST(Config, AScrubMayBeOffOrOnlyOfWhatIsIdle) {
  const Config off = parsed(with(example_config, "every = \"7d\"", "every = \"off\""));
  EXPECT_EQ(off.scrub.every, Duration::zero());
  EXPECT_NE(show_config(off).find("every = \"off\""), std::string::npos);
  EXPECT_EQ(show_config(parsed(show_config(off))), show_config(off));
  EXPECT_TRUE(parsed(with(example_config, "\"always\"", "\"idle\"")).scrub.only_idle);
}

TEST(ConfigValues, SizesAreReadInDecimalAndBinaryUnits) {
  const std::vector<std::pair<const char*, std::uint64_t>> cases{
      {"0", 0},         {"4096", 4096},       {"80MB", 80'000'000}, {"80MiB", 83'886'080},      {"1GiB", 1'073'741'824},
      {"1.5KiB", 1536}, {"64 GiB", 64 * GiB}, {"3kB", 3000},        {"1TB", 1'000'000'000'000}, {"7B", 7},
  };
  for (const auto& [text, bytes] : cases) {
    const Result<std::uint64_t> size = parse_size(text);
    ASSERT_TRUE(size.ok()) << text;
    EXPECT_EQ(*size, bytes) << text;
  }
}

TEST(ConfigValues, WhatIsNoSizeIsRefused) {
  for (const char* text :
       {"", "MB", "80M", "80mb", "-1", "1.2.3MB", ".5MB", "5.MB", "80 ", "80  MB", "0x10", "99999999TiB", "1e3", "inf", "1 MB x"}) {
    const Result<std::uint64_t> size = parse_size(text);
    ASSERT_FALSE(size.ok()) << text;
    EXPECT_EQ(size.error().kind, ErrorKind::usage);
    EXPECT_EQ(size.error().message, std::string("expected a size such as 80MB, 80MiB or 4096, found '") + text + "'");
  }
}

TEST(ConfigValues, RatesAreReadInBytesAndBits) {
  const std::vector<std::pair<const char*, std::uint64_t>> cases{
      {"80MB/s", 80'000'000}, {"80MiB", 83'886'080},   {"1Gbit", 125'000'000}, {"1Gbit/s", 125'000'000},
      {"8kbit", 1000},        {"100Mbit", 12'500'000}, {"unlimited", 0},       {"2.5Gbit", 312'500'000},
  };
  for (const auto& [text, rate] : cases) {
    const Result<std::uint64_t> found = parse_rate(text);
    ASSERT_TRUE(found.ok()) << text;
    EXPECT_EQ(*found, rate) << text;
  }
  for (const char* text : {"0", "0MB/s", "fast", "80MB/m", "1Gb", "", "/s", "1bit"}) EXPECT_FALSE(parse_rate(text).ok()) << text;
}

TEST(ConfigValues, ARateNeedsAUnit) {
  for (const char* text : {"80", "80/s", "1.5", "80 "}) EXPECT_FALSE(parse_rate(text).ok()) << text;
  EXPECT_EQ(parse_rate("80").error().message, "expected a rate such as 80MB/s, 1Gbit or unlimited, found '80'");
  EXPECT_EQ(parse_rate("80").error().hint, "a rate needs a unit: 80MB/s, 80Mbit, or 80B/s for bytes");
  EXPECT_EQ(*parse_rate("80B/s"), 80u);
  EXPECT_EQ(*parse_rate("80B"), 80u);
}

TEST(ConfigValues, DurationsNeedAUnit) {
  const std::vector<std::pair<const char*, Duration>> cases{
      {"1.2s", 1200ms}, {"30s", 30s}, {"5m", 5min}, {"500ms", 500ms}, {"2h", 2h}, {"0s", 0s}, {"1d", 24h},
  };
  for (const auto& [text, duration] : cases) {
    const Result<Duration> found = parse_duration(text);
    ASSERT_TRUE(found.ok()) << text;
    EXPECT_EQ(*found, duration) << text;
  }
  for (const char* text : {"30", "s", "", "-1s", "1 fortnight", "999999999d"}) EXPECT_FALSE(parse_duration(text).ok()) << text;
}

TEST(DidYouMean, TheNearestWordIsOffered) {
  const std::vector<std::string> words{"status", "seed", "suspend", "resume", "version", "wait", "verify"};
  EXPECT_EQ(did_you_mean("statsu", words), "status");
  EXPECT_EQ(did_you_mean("sede", words), "seed");
  EXPECT_EQ(did_you_mean("susspend", words), "suspend");
  EXPECT_EQ(did_you_mean("verfy", words), "verify");
  EXPECT_EQ(did_you_mean("wiat", words), "wait");
}

TEST(DidYouMean, WordsFarAwayAreNotOffered) {
  const std::vector<std::string> words{"status", "seed"};
  EXPECT_EQ(did_you_mean("replicate", words), std::nullopt);
  EXPECT_EQ(did_you_mean("x", {"ab"}), std::nullopt);
  EXPECT_EQ(did_you_mean("", words), std::nullopt);
  EXPECT_EQ(did_you_mean(std::string(100'000, 's'), words), std::nullopt);
}

TEST(DidYouMean, LongWordsMayDifferByAThird) {
  EXPECT_EQ(did_you_mean("generationsize", {"generation_size"}), "generation_size");
  EXPECT_EQ(did_you_mean("genration_sise", {"generation_size"}), "generation_size");
  EXPECT_EQ(did_you_mean("gneratoin_sice_", {"generation_size"}), "generation_size");
}

}  // namespace
}  // namespace ccr::engine
