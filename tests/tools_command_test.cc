// The built binary, run as a user runs it.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "tests/config_example.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

struct Outcome {
  int code = -1;
  std::string out, err;
};

class CommandTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ccr-command-XXXXXX";
    directory = mkdtemp(name);
    std::string text = engine::example_config;
    text.insert(text.find('\n') + 1, "state_dir = \"" + directory + "/{node}\"\n");
    write("ccr.toml", text);
  }
  void TearDown() override { std::filesystem::remove_all(directory); }

  void write(const std::string& name, const std::string& text) const { std::ofstream(directory + "/" + name) << text; }
  std::string read(const std::string& name) const {
    std::ifstream in(directory + "/" + name);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  Outcome run(const std::string& arguments, const std::string& environment = "") const {
    const std::string command = "cd " + directory + " && env -u CCR_NODE -u NO_COLOR CCR_CONFIG=ccr.toml " + environment +
                                " timeout 60 " + CCR_BINARY + " " + arguments + " >out 2>err </dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read("out"), read("err")};
  }

  std::string directory;
};

TEST_F(CommandTest, AMistypedCommandIsCorrected) {
  const Outcome result = run("staus");
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "ccr: unknown command 'staus'\nhint: did you mean 'status'?\n");
}

TEST_F(CommandTest, AMistypedOptionIsCorrected) {
  const Outcome result = run("status --jsn");
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err, "ccr: unknown option '--jsn' for ccr status\nhint: did you mean '--json'?\n");
}

TEST_F(CommandTest, AMistypedOptionIsToldBeforeWhatIsMissing) {
  const Outcome result = run("seed --ful");
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err, "ccr: unknown option '--ful' for ccr seed\nhint: did you mean '--full'?\n");
}

TEST_F(CommandTest, AMistypedCommandOfANounIsCorrected) {
  const Outcome result = run("config chek");
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err, "ccr: unknown command 'chek' for ccr config\nhint: did you mean 'check'?\n");
}

TEST_F(CommandTest, UsageErrorsAreCodeTwoAndNameTheHelp) {
  for (const char* arguments :
       {"", "config", "log", "wait", "suspend", "load orders", "status a b", "status --config", "--color=blue version",
        "wait orders", "suspend orders", "seed orders@", "wait orders@beta --timeout 30", "seed orders@beta --rate fast", "seed orders@beta --rate 80", "seed orders@beta --streams x", "seed orders@beta --streams -1",
        "seed orders@beta --streams 0", "events orders@", "verify orders@beta --rate 0", "scrub orders", "scrub orders@beta --rate 0",
        "load orders --rate 1MB --pattern sequence", "tune", "tune --rate 1Gbit", "tune --rate unlimited --rtt 1ms",
        "tune --rate 1Gbit --rtt 2m", "tune --rate 20000Gbit --rtt 1ms",
        "tune --rate 1Gbit --rtt 1", "tune --rate 1Gbit --rtt 1ms --mtu 100", "tune --rate 1Gbit --rtt 1ms --head-room 0.5", "load orders --rate 1MB --seconds 0", "load orders --rate 1MB --seconds 1x", "load orders --rate 1MB --seconds -1", "--node alpha status ordres",
        "bench", "bench lnk --peer beta", "bench link", "bench ship", "bench link --peer beta --seconds 0", "bench link --peer beta --bytes 1x", "bench link --peer beta --window 0",
        "bench ship --peer beta --rate 80", "tune --peer beta --rate 1Gbit", "tune --peer beta --mtu 1", "tune --peer beta --seconds x", "report", "report run.json",
        "move orders", "move orders@alpha --to beta", "activate orders", "activate orders --on", "backup orders --to /b", "backup orders@beta", "log why orders", "log why orders xyz", "log why orders 0",
        "report none.json --html page.html", "report ccr.toml --html page.html"}) {
    const Outcome result = run(arguments);
    EXPECT_EQ(result.code, 2) << arguments << "\n" << result.err;
    EXPECT_EQ(result.out, "") << arguments;
    EXPECT_TRUE(result.err.starts_with("ccr: ")) << arguments;
  }
}

TEST_F(CommandTest, HelpIsData) {
  const Outcome result = run("--help");
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err, "");
  for (const char* command :
       {"serve", "config", "status", "wait", "seed", "suspend", "resume", "verify", "scrub", "backup", "move", "activate", "load", "bench", "tune", "report", "log", "events", "version"}) {
    EXPECT_NE(result.out.find(std::string("\n  ") + command + " "), std::string::npos) << command;
  }
  EXPECT_EQ(run("seed --help").code, 0);
}

TEST_F(CommandTest, AReportIsMadeOfAMeasurementAndOfNothingElse) {
  write("run.json", R"({"schema":1,"kind":"bench_log","node":"alpha","series":[]})");
  const Outcome made = run("report run.json --html page.html");
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(made.out, "");
  EXPECT_TRUE(read("page.html").starts_with("<!doctype html>"));
  EXPECT_EQ(run("report run.json --html no/page.html").code, 1);
  const Outcome refused = run("report ccr.toml --html page.html");
  EXPECT_EQ(refused.err, "ccr: ccr.toml is no JSON\nhint: ccr bench link --peer NODE --json > run.json makes one\n");
}

TEST_F(CommandTest, AMeasurementNeedsTheDaemon) {
  const Outcome result = run("--node alpha bench link --peer beta");
  EXPECT_EQ(result.code, 3);
  EXPECT_NE(result.err.find("hint: start it: ccr serve --node alpha"), std::string::npos) << result.err;
}

TEST_F(CommandTest, TheVersionIsToldInBothForms) {
  EXPECT_TRUE(run("version").out.starts_with("ccr 0."));
  const json version = json::parse(run("version --json").out);
  EXPECT_EQ(version["schema"], 1);
  EXPECT_EQ(version["formats"]["log"], 1);
  EXPECT_EQ(run("--version").out, run("version").out);
}

TEST_F(CommandTest, AGoodConfigurationPasses) {
  const Outcome result = run("config check");
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "ccr.toml: good: cluster lab, 2 nodes, 1 database\n");
  EXPECT_EQ(json::parse(run("config check --json").out), json::parse(R"({"schema":1,"ok":true,"warnings":[]})"));
}

TEST_F(CommandTest, ACongestionControlThatThisKernelHasNotIsRefusedForANodeOfThisHost) {
  std::string text = engine::example_config;
  text.replace(text.find("congestion  = \"auto\""), 20, "congestion = \"renoo\"");
  write("ccr.toml", text);
  EXPECT_EQ(run("config check").code, 0) << "another host may have it";
  for (const char* arguments : {"config check --node alpha", "serve --node alpha"}) {
    const Outcome result = run(arguments);
    EXPECT_EQ(result.code, 2) << arguments;
    EXPECT_TRUE(result.err.starts_with("ccr: transport.congestion: this kernel has no congestion control 'renoo': it has ")) << result.err;
    EXPECT_TRUE(result.err.ends_with("hint: did you mean 'reno'?\n")) << result.err;
  }
}

TEST_F(CommandTest, ABadConfigurationIsPlacedAndCorrected) {
  write("ccr.toml", engine::example_config + "\n[transprot]\n");
  const Outcome result = run("config check");
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err, "ccr: ccr.toml:39:2: unknown key 'transprot' at the top of the file\nhint: did you mean 'transport'?\n");
}

TEST_F(CommandTest, ServeNeedsTheFilesOfTls) {
  std::string text = engine::example_config;
  text.replace(text.find("\"off\""), 5, "\"require\"");
  text.replace(text.find("/etc/ccr/tls/ca.pem"), 19, directory + "/none.pem");
  write("ccr.toml", text);
  const Outcome result = run("serve --node alpha");
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err,
            "ccr: TLS of node alpha: '" + directory + "/none.pem': No such file or directory\n"
            "hint: ccr cert ca and ccr cert issue make it; [tls] in the configuration says where it is\n");
}

TEST_F(CommandTest, TheConfigurationInForceIsShown) {
  const Outcome result = run("config show --node beta");
  EXPECT_EQ(result.code, 0);
  EXPECT_NE(result.out.find("control_socket = \"" + directory + "/beta/control.sock\"\n"), std::string::npos);
  EXPECT_EQ(json::parse(run("config show --node beta --json").out)["databases"]["orders"]["generation_size"], 1048576);
}

TEST_F(CommandTest, AMissingConfigurationSaysHowToNameIt) {
  const Outcome result = run("config show --config /nonexistent.toml");
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err,
            "ccr: configuration '/nonexistent.toml': No such file or directory\nhint: name it with --config FILE or CCR_CONFIG\n");
}

TEST_F(CommandTest, TheNodeMayComeFromTheEnvironment) {
  EXPECT_EQ(run("status", "CCR_NODE=alpha").code, 3);
  const Outcome result = run("status", "CCR_NODE=alhpa");
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("hint: did you mean 'alpha'?\n"), std::string::npos) << result.err;
}

TEST_F(CommandTest, StatusWithoutADaemonReadsTheStateFiles) {
  const Outcome text = run("status --node beta");
  EXPECT_EQ(text.code, 3);
  EXPECT_TRUE(
      text.out.starts_with("cluster lab   this node beta   epoch ?   TLS off   (from the state file, daemon not running)\n"))
      << text.out;
  const Outcome result = run("status orders@beta --node beta --json");
  EXPECT_EQ(result.code, 3);
  const json status = json::parse(result.out);
  EXPECT_EQ(status["daemon"], false);
  EXPECT_EQ(status["databases"][0]["copies"].size(), 1u);
  EXPECT_EQ(status["databases"][0]["copies"][0]["state"], "needs_seed");
  EXPECT_FALSE(std::filesystem::exists(directory + "/beta"));
}

TEST_F(CommandTest, WithoutADaemonEveryOrderIsUnreachable) {
  for (const char* arguments : {"wait orders@beta", "seed orders@beta", "suspend orders@beta --comment x", "resume orders@beta",
                                "verify orders@beta", "verify orders@beta --rate unlimited", "scrub orders@beta", "scrub orders@alpha --rate 1MB/s --cancel", "load orders --rate 1MB/s", "load orders --rate 1MB/s --seconds 1s", "load orders --rate 1MB/s --seconds 0.5", "events", "events --follow"}) {
    const Outcome result = run(std::string("--node beta ") + arguments);
    EXPECT_EQ(result.code, 3) << arguments << "\n" << result.err;
    EXPECT_NE(result.err.find("hint: start it: ccr serve --node beta\n"), std::string::npos) << arguments << "\n" << result.err;
  }
}

TEST_F(CommandTest, ADamagedGenerationIsCodeFive) {
  write("00000000000001a3.log", std::string(12288, 'x'));
  const Outcome result = run("log show 00000000000001a3.log");
  EXPECT_EQ(result.code, 5) << result.err;
  EXPECT_EQ(run("log verify .").code, 5);
  EXPECT_EQ(json::parse(run("log verify . --json").out)["ok"], false);
  EXPECT_EQ(run("log show none.log").code, 2);
  EXPECT_EQ(run("log verify none").code, 2);
}

TEST_F(CommandTest, AFolderWhereItsPartsAreReceivedIsNoDamage) {
  std::filesystem::create_directories(directory + "/log/incoming");
  write("log/incoming/00000000000001a3.log", std::string(12288, 'x'));
  for (const char* typed : {"log/incoming", "log/incoming/", "./log/incoming/."}) {
    const Outcome result = run(std::string("log verify ") + typed);
    EXPECT_EQ(result.code, 2) << typed << result.err;
    EXPECT_NE(result.err.find("/log checks the chain"), std::string::npos) << result.err;
  }
}

TEST_F(CommandTest, WhatIsNoGenerationsFileGetsAHint) {
  Outcome result = run("log show .");
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err, "ccr: '.' is a directory\nhint: ccr log verify . checks what is in it; ccr log show prints one file\n");
  result = run("log show none.log");
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("hint: name a generation's file"), std::string::npos) << result.err;
}

TEST_F(CommandTest, ColourIsForTerminals) {
  EXPECT_EQ(run("status --node alpha").out.find('\x1b'), std::string::npos);
  EXPECT_NE(run("status --node alpha --color=always").out.find('\x1b'), std::string::npos);
  EXPECT_EQ(run("status --node alpha --color=never").out.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace ccr::tools
