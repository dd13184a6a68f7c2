// Every way to get the file wrong that we know of, with the words the user reads. One part of the example is replaced by another.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/config_example.h"
#include "engine/config.h"

namespace ccr::engine {
namespace {

struct BadFile {
  const char* name;
  const char* old_part;
  const char* new_part;
  const char* message;
  const char* hint;
};

const BadFile bad_files[] = {
    {"KeyAtTheTop", "cluster = \"lab\"", "cluster = \"lab\"\nstate_dri = \"/x\"",
     "ccr.toml:2:1: unknown key 'state_dri' at the top of the file", "did you mean 'state_dir'?"},
    {"TableAtTheTop", "[transport]", "[transprot]", "ccr.toml:23:2: unknown key 'transprot' at the top of the file",
     "did you mean 'transport'?"},
    {"KeyOfANode", "[nodes.beta]\naddresses", "[nodes.beta]\naddress", "ccr.toml:6:1: unknown key 'address' in [nodes.beta]",
     "did you mean 'addresses'?"},
    {"KeyOfTls", "ca   =", "cafile =", "ccr.toml:10:1: unknown key 'cafile' in [tls]", "known here: mode, ca, cert, key, denied"},
    {"DeniedIsNoNumber", "mode = \"off\"", "mode = \"off\"\ndenied = [\"12g4\"]",
     "ccr.toml:10:10: tls.denied: expected the serial number of a certificate in hex, found '12g4'", "ccr cert show has it"},
    {"PinIsTooShort", "[nodes.beta]\n", "[nodes.beta]\npins = [\"aabb\"]\n",
     "ccr.toml:6:8: nodes.beta.pins: expected the SHA-256 of a key, 64 hex digits, found 'aabb'", "ccr cert show has it, behind the key"},
    {"ThreePins", "[nodes.beta]\n", "[nodes.beta]\npins = [\"aa\", \"bb\", \"cc\"]\n",
     "ccr.toml:6:8: nodes.beta.pins: expected at most 2, found 3", ""},
    {"KeyOfADatabase", "generation_size", "generation_sice", "ccr.toml:19:1: unknown key 'generation_sice' in [databases.orders]",
     "did you mean 'generation_size'?"},
    {"KeyOfTheTransport", "seed_rate ", "seedrate ", "ccr.toml:28:1: unknown key 'seedrate' in [transport]",
     "did you mean 'seed_rate'?"},
    {"KeyOfVerify", "rate = \"200", "rates = \"200", "ccr.toml:32:1: unknown key 'rates' in [verify]", "did you mean 'rate'?"},
    {"RateOfVerify", "200MB/s", "fast", "ccr.toml:32:8: verify.rate: expected a rate such as 80MB/s, 1Gbit or unlimited, found 'fast'", ""},
    {"KeyOfTheScrub", "every =", "each =", "ccr.toml:35:1: unknown key 'each' in [scrub]", "known here: every, rate, when"},
    {"PeriodOfTheScrub", "\"7d\"", "\"weekly\"",
     "ccr.toml:35:9: scrub.every: expected a duration such as 500ms, 1.2s, 30s or 5m, found 'weekly'", ""},
    {"PeriodOfTheScrubIsTooShort", "\"7d\"", "\"10ms\"", "ccr.toml:35:9: scrub.every: expected 1s to 31622400s, found '10ms'", ""},
    {"WordOfTheScrub", "\"always\"", "\"idel\"", "ccr.toml:37:9: scrub.when: expected one of always, idle, found 'idel'", "did you mean 'idle'?"},
    {"RateWithoutUnit", "\"unlimited\"", "\"80\"",
     "ccr.toml:28:15: transport.seed_rate: expected a rate such as 80MB/s, 1Gbit or unlimited, found '80'",
     "a rate needs a unit: 80MB/s, 80Mbit, or 80B/s for bytes"},
    {"KeyOfTheHeartbeat", "missed = 4", "mised = 4", "ccr.toml:29:36: unknown key 'mised' in [transport.heartbeat]",
     "did you mean 'missed'?"},
    {"ClusterMissing", "cluster = \"lab\"", "", "ccr.toml:1:1: cluster is missing", "such as cluster = \"lab\""},
    {"ClusterOfAnotherType", "\"lab\"", "7", "ccr.toml:1:11: cluster: expected a string, found an integer", ""},
    {"ClusterWithASpace", "\"lab\"", "\"my lab\"",
     "ccr.toml:1:11: cluster: expected a name of letters, digits, - and _, at most 63 of them, found 'my lab'", ""},
    {"NodeNameWithADot", "[nodes.beta]", "[nodes.\"be.ta\"]",
     "ccr.toml:5:8: nodes: expected a name of letters, digits, - and _, at most 63 of them, found 'be.ta'", ""},
    {"DatabaseNameWithASlash", "[databases.orders]", "[databases.\"../orders\"]",
     "ccr.toml:14:12: databases: expected a name of letters, digits, - and _, at most 63 of them, found '../orders'", ""},
    {"NodeWithoutAddress", "[\"10.77.0.2:64327\", \"10.78.0.2:64327\"]", "[]",
     "ccr.toml:6:13: nodes.beta.addresses: expected 1 to 8 addresses, found 0", ""},
    {"NodeWithoutAddresses", "addresses = [\"10.77.0.2:64327\", \"10.78.0.2:64327\"]", "",
     "ccr.toml:5:1: nodes.beta.addresses is missing", "such as addresses = [\"10.77.0.1:64327\"]"},
    {"AddressesOfAnotherType", "[\"10.77.0.2:64327\", \"10.78.0.2:64327\"]", "\"10.77.0.2:64327\"",
     "ccr.toml:6:13: nodes.beta.addresses: expected an array of strings, found a string", ""},
    {"AddressOfAnotherType", "[\"10.77.0.2:64327\", ", "[1, ",
     "ccr.toml:6:14: nodes.beta.addresses: expected an array of strings, found an integer in it", ""},
    {"AddressOfTwoNodes", "10.77.0.2:64327", "10.77.0.1:64327",
     "ccr.toml:6:13: nodes.beta.addresses: 10.77.0.1:64327 stands for node alpha already", ""},
    {"TlsModeMistyped", "mode = \"off\"", "mode = \"of\"", "ccr.toml:9:8: tls.mode: expected one of require, off, found 'of'",
     "did you mean 'off'?"},
    {"KindUnknown", "\"sqlite\"", "\"sqllite\"",
     "ccr.toml:15:10: databases.orders.kind: expected one of pages, sqlite, found 'sqllite'", "did you mean 'sqlite'?"},
    {"KindOfAnotherType", "\"sqlite\"", "true", "ccr.toml:15:10: databases.orders.kind: expected a string, found a boolean", ""},
    {"PathMissing", "path   = \"/srv/orders/orders.db\"\n", "", "ccr.toml:14:1: databases.orders.path is missing",
     "such as path = \"/srv/orders/orders.db\""},
    {"PathRelative", "\"/srv/orders/orders.db\"", "\"orders.db\"",
     "ccr.toml:16:10: databases.orders.path: expected an absolute path, found 'orders.db'", ""},
    {"PathEmpty", "\"/srv/orders/orders.db\"", "\"\"", "ccr.toml:16:10: databases.orders.path: expected an absolute path, found ''",
     ""},
    {"PlaceholderUnknown", "\"/srv/orders/orders.db\"", "\"/srv/{host}.db\"",
     "ccr.toml:16:10: databases.orders.path: expected no placeholder but {node}, found '/srv/{host}.db'", ""},
    {"LogsMissing", "logs   = \"/srv/orders-log\"\n", "", "ccr.toml:14:1: databases.orders.logs is missing",
     "such as logs = \"/srv/orders-log\""},
    {"CopyUnknown", "[\"alpha\", \"beta\"]", "[\"alpha\", \"betta\"]",
     "ccr.toml:18:10: databases.orders.copies: expected nodes of [nodes], found 'betta'", "did you mean 'beta'?"},
    {"CopyTwice", "[\"alpha\", \"beta\"]", "[\"alpha\", \"alpha\"]",
     "ccr.toml:18:10: databases.orders.copies: node 'alpha' stands twice", ""},
    {"CopiesEmpty", "[\"alpha\", \"beta\"]", "[]", "ccr.toml:18:10: databases.orders.copies: expected 1 to 16 nodes, found 0", ""},
    {"CopiesMissing", "copies = [\"alpha\", \"beta\"]", "", "ccr.toml:14:1: databases.orders.copies is missing",
     "such as copies = [\"alpha\", \"beta\"]"},
    {"GenerationSizeOdd", "\"1MiB\"", "\"3MiB\"",
     "ccr.toml:19:19: databases.orders.generation_size: expected a power of two, found 3145728", ""},
    {"GenerationSizeSmall", "\"1MiB\"", "\"128KiB\"",
     "ccr.toml:19:19: databases.orders.generation_size: expected 262144 to 67108864 bytes, found 131072", ""},
    {"GenerationSizeUnreadable", "\"1MiB\"", "\"1M\"",
     "ccr.toml:19:19: databases.orders.generation_size: expected a size such as 80MB, 80MiB or 4096, found '1M'", ""},
    {"GenerationSizeOfAnotherType", "\"1MiB\"", "1.5",
     "ccr.toml:19:19: databases.orders.generation_size: expected a size such as \"80MiB\", found a floating point number", ""},
    {"LogBudgetSmall", "\"64GiB\"", "\"2MiB\"",
     "ccr.toml:20:19: databases.orders.log_budget: expected 4194304 to 1125899906842624 bytes, found 2097152", ""},
    {"LogBudgetNegative", "\"64GiB\"", "-5",
     "ccr.toml:20:19: databases.orders.log_budget: expected a size such as 80MB, 80MiB or 4096, found '-5'", ""},
    {"RetentionUnknown", "log_budget      = \"64GiB\"", "retention       = \"untilbackup\"",
     "ccr.toml:20:19: databases.orders.retention: expected circular, until-backup or a time such as \"keep 7d\", found 'untilbackup'", "did you mean 'until-backup'?"},
    {"RetentionOfNoTime", "log_budget      = \"64GiB\"", "retention       = \"keep 7x\"",
     "ccr.toml:20:19: databases.orders.retention: expected circular, until-backup or a time such as \"keep 7d\", found 'keep 7x'", "did you mean 'keep 7d'?"},
    {"StoppingOfPrograms", "log_budget      = \"64GiB\"", "log_budget_end  = \"stop\"",
     "ccr.toml:20:19: databases.orders.log_budget_end: expected \"drop\": no program's commits can be made to wait", "leave it out; commits that wait are for kind = \"pages\""},
    {"WalBudgetBelowItsLimit", "log_budget      = \"64GiB\"", "wal_budget      = \"1MiB\"",
     "ccr.toml:20:19: databases.orders.wal_budget is smaller than wal_limit: 1048576 and 4194304 bytes", "below the limit a WAL is no trouble; 0 never lets one go"},
    {"ReplayLagLong", "beta = \"0s\"", "beta = \"15d\"",
     "ccr.toml:21:28: databases.orders.replay_lag.beta: expected 0s to 1209600s, found '15d'", ""},
    {"TruncationLagOfNoCopy", "replay_lag      = { beta = \"0s\" }", "truncation_lag = { betta = \"1h\" }",
     "ccr.toml:21:28: databases.orders.truncation_lag: expected a node of databases.orders.copies, found 'betta'", "did you mean 'beta'?"},
    {"ReplayLagOfNoCopy", "beta = \"0s\"", "gamma = \"0s\"",
     "ccr.toml:21:29: databases.orders.replay_lag: expected a node of databases.orders.copies, found 'gamma'", ""},
    {"PageSizeOdd", "kind   = \"sqlite\"", "page_size = 1000",
     "ccr.toml:15:13: databases.orders.page_size: expected a power of two, found 1000", ""},
    {"PageSizeLarge", "kind   = \"sqlite\"", "page_size = 131072",
     "ccr.toml:15:13: databases.orders.page_size: expected 512 to 65536 bytes, found 131072", ""},
    {"WalLimitSmall", "kind   = \"sqlite\"", "wal_limit = 1",
     "ccr.toml:15:13: databases.orders.wal_limit: expected 65536 to 1125899906842624 bytes, found 1", ""},
    {"SeedUnknown", "kind   = \"sqlite\"", "seed = \"atuo\"",
     "ccr.toml:15:8: databases.orders.seed: expected one of auto, manual, found 'atuo'", "did you mean 'auto'?"},
    {"CommitOfSqlite", "kind   = \"sqlite\"", "commit = \"durable\"",
     "ccr.toml:15:10: databases.orders.commit: expected \"async\": a program's COMMIT returns before ccr sees it",
     "leave it out; commits that wait for another copy are for kind = \"pages\""},
    {"CommitUnknown", "kind   = \"sqlite\"", "commit = \"durably\"",
     "ccr.toml:15:10: databases.orders.commit: expected one of async, received, durable, found 'durably'", "did you mean 'durable'?"},
    {"WindowUnreadable", "window      = \"auto\"", "window = \"big\"",
     "ccr.toml:24:10: transport.window: expected auto or a size of 4KiB to 512MiB, found 'big'", ""},
    {"WindowSmall", "window      = \"auto\"", "window = \"1KiB\"",
     "ccr.toml:24:10: transport.window: expected auto or a size of 4KiB to 512MiB, found '1KiB'", ""},
    {"CongestionNoName", "congestion  = \"auto\"", "congestion = \"Cubic 2\"",
     "ccr.toml:25:14: transport.congestion: expected auto, default, or a name such as cubic or bbr, found 'Cubic 2'", ""},
    {"CompressionUnknown", "compression = \"auto\"", "compression = \"zstd:20\"",
     "ccr.toml:26:15: transport.compression: expected none, auto or zstd:1..19, found 'zstd:20'", "did you mean 'zstd:1'?"},
    {"StreamsUnreadable", "streams     = \"auto\"", "streams = \"0\"",
     "ccr.toml:27:11: transport.streams: expected auto or \"1\" to \"64\", found '0'", ""},
    {"SeedRateUnreadable", "\"unlimited\"", "\"80MB/h\"",
     "ccr.toml:28:15: transport.seed_rate: expected a rate such as 80MB/s, 1Gbit or unlimited, found '80MB/h'", ""},
    {"SeedRateOfAnotherType", "\"unlimited\"", "80",
     "ccr.toml:28:15: transport.seed_rate: expected a rate such as \"80MB/s\", found an integer", ""},
    {"HeartbeatMissedMany", "missed = 4", "missed = 21", "ccr.toml:29:45: transport.heartbeat.missed: expected 2 to 20, found 21",
     ""},
    {"HeartbeatMissedFew", "missed = 4", "missed = 1", "ccr.toml:29:45: transport.heartbeat.missed: expected 2 to 20, found 1", ""},
    {"HeartbeatIntervalWithoutUnit", "interval = \"1.2s\"", "interval = \"1.2\"",
     "ccr.toml:29:28: transport.heartbeat.interval: expected a duration such as 500ms, 1.2s, 30s or 5m, found '1.2'", ""},
    {"HeartbeatIntervalShort", "interval = \"1.2s\"", "interval = \"1ms\"",
     "ccr.toml:29:28: transport.heartbeat.interval: expected 0.05s to 60s, found '1ms'", ""},
    {"HeartbeatOfAnotherType", "{ interval = \"1.2s\", missed = 4 }", "4",
     "ccr.toml:29:15: transport.heartbeat: expected a table, found an integer", ""},
    {"LogsAtThePath", "\"/srv/orders-log\"", "\"/srv/orders/orders.db\"",
     "ccr.toml:17:10: databases.orders.logs: expected a place of its own, found '/srv/orders/orders.db', which "
     "databases.orders.path has",
     ""},
    {"LogsAroundThePath", "\"/srv/orders-log\"", "\"/srv/orders/\"",
     "ccr.toml:17:10: databases.orders.logs: expected a place of its own, found '/srv/orders', which databases.orders.path has",
     ""},
    {"LogsAtTheStateDirectory", "\"/srv/orders-log\"", "\"/var/lib/ccr/./{node}\"",
     "ccr.toml:17:10: databases.orders.logs: expected a place of its own, found '/var/lib/ccr/alpha', which state_dir has", ""},
    {"LogsOfTwoDatabases", "[transport]",
     "[databases.zoo]\npath = \"/srv/zoo.db\"\nlogs = \"/srv/orders-log\"\ncopies = [\"beta\"]\n[transport]",
     "ccr.toml:25:8: databases.zoo.logs: expected a place of its own, found '/srv/orders-log', which databases.orders.logs has",
     ""},
    {"PathOfTwoDatabases", "[transport]",
     "[databases.zoo]\npath = \"/srv/orders/orders.db\"\nlogs = \"/srv/zoo-log\"\ncopies = [\"beta\"]\n[transport]",
     "ccr.toml:24:8: databases.zoo.path: expected a place of its own, found '/srv/orders/orders.db', which databases.orders.path "
     "has",
     ""},
    {"PathAtAPassiveCopy", "[transport]",
     "[databases.zoo]\npath = \"/srv/orders/orders.db.copy\"\nlogs = \"/srv/zoo-log\"\ncopies = [\"beta\"]\n[transport]",
     "ccr.toml:24:8: databases.zoo.path: expected a place of its own, found '/srv/orders/orders.db.copy', which "
     "databases.orders.path has",
     ""},
    {"TwoNodesOfOneHostOnOnePath", "10.77.0.2:64327", "10.77.0.1:64328",
     "ccr.toml:16:10: databases.orders.path: nodes alpha and beta are on one host and would share '/srv/orders/orders.db'",
     "put {node} into it"},
    {"TwoNodesOfOneHostInOneStateDirectory", "cluster = \"lab\"\n\n[nodes.alpha]\naddresses = [\"10.77.0.1:64327\"",
     "cluster = \"lab\"\nstate_dir = \"/x\"\n[nodes.alpha]\naddresses = [\"10.77.0.2:1\"",
     "ccr.toml:2:13: state_dir: nodes alpha and beta are on one host and would share '/x'", "put {node} into it"},
    {"SocketPathLong", "cluster = \"lab\"",
     "cluster = \"lab\"\nstate_dir = "
     "\"/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789\"",
     "ccr.toml:2:13: control_socket: expected at most 107 characters, found 112 in "
     "'/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/control.sock'",
     "set control_socket to a shorter path, such as /run/ccr-{node}.sock"},
    {"DatabaseOfAnotherType", "[databases.orders]", "[databases]\nmail = 1\n[databases.orders]",
     "ccr.toml:15:8: databases.mail: expected a table, found an integer", ""},
};

class BadConfig : public testing::TestWithParam<BadFile> {};

TEST_P(BadConfig, SaysWhereWhatAndHowToMendIt) {
  const BadFile& bad = GetParam();
  std::string text = example_config;
  const std::size_t at = text.find(bad.old_part);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, std::string(bad.old_part).size(), bad.new_part);
  const Result<Config> config = parse_config(text, "ccr.toml", "alpha");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().kind, ErrorKind::config);
  EXPECT_EQ(config.error().message, bad.message);
  EXPECT_EQ(config.error().hint, bad.hint);
}

INSTANTIATE_TEST_SUITE_P(Files, BadConfig, testing::ValuesIn(bad_files),
                         [](const auto& file) { return std::string(file.param.name); });

TEST(BadConfigText, AddressesAreReadByTheTransport) {
  std::string text = example_config;
  text.replace(text.find("10.77.0.2:64327"), 15, "db.example.org");
  const Result<Config> config = parse_config(text, "ccr.toml", "alpha");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().kind, ErrorKind::config);
  EXPECT_TRUE(config.error().message.starts_with("ccr.toml:6:13: nodes.beta.addresses: ")) << config.error().message;
}

TEST(BadConfigText, TheNodeMustBeInTheFile) {
  const Result<Config> config = parse_config(example_config, "ccr.toml", "bta");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().message, "ccr.toml:3:1: nodes: this node is 'bta', expected one of alpha, beta");
  EXPECT_EQ(config.error().hint, "did you mean 'beta'?");
}

TEST(BadConfigText, ASyntaxErrorHasItsPlace) {
  for (const char* text : {"cluster = ", "cluster = \"lab", "[nodes", "a = 1\na = 2", "= 3", "cluster = \"\xff\""}) {
    const Result<Config> config = parse_config(text, "ccr.toml", "alpha");
    ASSERT_FALSE(config.ok()) << text;
    EXPECT_EQ(config.error().kind, ErrorKind::config);
    EXPECT_TRUE(config.error().message.starts_with("ccr.toml:1:") || config.error().message.starts_with("ccr.toml:2:"))
        << config.error().message;
  }
}

TEST(BadConfigText, OfSeveralFaultsTheFirstOfTheFileIsTold) {
  std::string text = example_config;
  text.replace(text.find("missed = 4"), 10, "missed = 1");
  text.replace(text.find("kind "), 5, "knd  ");
  const Result<Config> config = parse_config(text, "ccr.toml", "alpha");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().message, "ccr.toml:15:1: unknown key 'knd' in [databases.orders]");
}

TEST(BadConfigText, AKeyOfManyPartsIsRefused) {
  const auto key = [](std::size_t parts, const std::string& part) {
    std::string text = part;
    for (std::size_t i = 1; i < parts; ++i) text += "." + part;
    return text;
  };
  const std::string many = key(100'000, "a"), quoted = key(17, "\"a\""), spaced = key(17, "a \t");
  const std::string lines = std::to_string(std::count(example_config.begin(), example_config.end(), '\n') + 1);
  for (const std::string& line : {many + " = 1", "[" + many + "]", "x = { y = [ {" + many + " = 1} ] }", quoted + " = 1", spaced + " = 1",
                                  R"(x = { y = """#"""", )" + many, R"(x = { y = '''#''''', )" + many, R"(x = { y = '\', )" + many, R"(x = { y = "\"", )" + many}) {
    const Result<Config> config = parse_config(example_config + line, "ccr.toml", "alpha");
    ASSERT_FALSE(config.ok());
    EXPECT_EQ(config.error().message, "ccr.toml:" + lines + ":1: a key of more than 16 parts") << line.substr(0, 40);
  }
  const Result<Config> config = parse_config(key(16, "a") + " = 1", "ccr.toml", "alpha");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().message, "ccr.toml:1:1: unknown key 'a' at the top of the file");
}

TEST(BadConfigText, DotsInStringsAndCommentsAreNoKey) {
  const std::string dots(1000, '.');
  std::string text = example_config + "# " + dots + "\n";
  const std::string commands = "on_demote = 'x" + dots + "'\non_promote = \"\"\"\n#" + dots + "\n\\\"" + dots + "\"\"\"\"\n";
  text.insert(text.find("replay_lag "), commands);
  const Result<Config> config = parse_config(text, "ccr.toml", "alpha");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->databases.at("orders").on_promote, "#" + dots + "\n\"" + dots + "\"");
}

TEST(BadConfigText, APathHasNoZeroByte) {
  std::string text = example_config;
  text.replace(text.find("/srv/orders-log"), 15, "/srv/orders-log\\u0000x");
  const Result<Config> config = parse_config(text, "ccr.toml", "alpha");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().message, "ccr.toml:17:10: databases.orders.logs: a path has no zero byte");
}

TEST(BadConfigText, AnEmptyFileIsRefused) {
  const Result<Config> config = parse_config("", "ccr.toml", "alpha");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().kind, ErrorKind::config);
}

}  // namespace
}  // namespace ccr::engine
