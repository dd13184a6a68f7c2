// ccr cert as a user runs it: what it writes, with which modes, and what it never overwrites.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

namespace ccr::tools::tools_cert_test {
namespace {

using nlohmann::json;

struct Outcome {
  int code = -1;
  std::string out, err;
};

class CertTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ccr-cert-XXXXXX";
    directory_ = mkdtemp(name);
    std::ofstream(path("ccr.toml")) << "cluster = \"lab\"\nstate_dir = \"" << directory_ << "/{node}\"\n"
                                    << "[nodes.alpha]\naddresses = [\"127.0.0.1:1\"]\n[nodes.beta]\naddresses = [\"127.0.0.1:2\"]\n"
                                    << "[tls]\nca = \"" << directory_ << "/tls/ca.pem\"\ncert = \"" << directory_
                                    << "/tls/{node}.pem\"\nkey = \"" << directory_ << "/tls/{node}.key\"\n";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string read(const std::string& name) const {
    std::ifstream in(path(name));
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  bool there(const std::string& name) const { return std::filesystem::exists(path(name)); }
  unsigned mode(const std::string& name) const {
    struct stat status {};
    EXPECT_EQ(stat(path(name).c_str(), &status), 0) << name;
    return status.st_mode & 07777u;
  }
  Outcome run(const std::string& arguments) const {
    const std::string command = "cd " + directory_ + " && env -u CCR_NODE -u NO_COLOR CCR_CONFIG=ccr.toml timeout 60 " +
                                CCR_BINARY + " " + arguments + " >out 2>err </dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read("out"), read("err")};
  }
  void make_both() const {
    ASSERT_EQ(run("cert ca --out tls").code, 0);
    ASSERT_EQ(run("cert issue alpha --out tls").code, 0);
    ASSERT_EQ(run("cert issue beta --out tls").code, 0);
  }
  json shown(const std::string& name) const { return json::parse(run("cert show --json tls/" + name).out)["certificates"][0]; }

  std::string directory_;
};

TEST_F(CertTest, ThreeCommandsMakeWhatTwoNodesNeed) {
  make_both();
  EXPECT_EQ(mode("tls"), 0700u);
  for (const char* key : {"tls/ca.key", "tls/alpha.key", "tls/beta.key"}) EXPECT_EQ(mode(key), 0600u) << key;
  for (const char* certificate : {"tls/ca.pem", "tls/alpha.pem", "tls/beta.pem"})
    EXPECT_EQ(mode(certificate), 0644u) << certificate;
  const json beta = shown("beta.pem");
  EXPECT_EQ(beta["names"], json::parse(R"(["ccr://lab/beta"])"));
  EXPECT_EQ(beta["issuer"], "ccr authority of lab");
  EXPECT_EQ(beta["key"], "EC P-256");
  EXPECT_EQ(beta["days_left"], 364);
  EXPECT_EQ(shown("ca.pem")["authority"], true);
  for (const char* node : {"alpha", "beta"}) EXPECT_EQ(run(std::string("config check --node ") + node).code, 0) << node;
}

TEST_F(CertTest, TheResultIsToldAsJson) {
  ASSERT_EQ(run("cert ca --out tls").code, 0);
  const json made = json::parse(run("cert issue beta --out tls --days 90 --json").out);
  EXPECT_EQ(made["schema"], 1);
  EXPECT_EQ(made["dry_run"], false);
  EXPECT_EQ(made["files"], json::parse(R"(["tls/beta.pem", "tls/beta.key"])"));
  EXPECT_EQ(made["certificate"]["days_left"], 89);
  EXPECT_EQ(made["certificate"]["sha256"], shown("beta.pem")["sha256"]);
}

TEST_F(CertTest, NothingIsReplaced) {
  make_both();
  const std::string key = read("tls/beta.key"), ca = read("tls/ca.pem");
  const Outcome issue = run("cert issue beta --out tls");
  EXPECT_EQ(issue.code, 1);
  EXPECT_EQ(issue.err,
            "ccr: 'tls/beta.key' is there already; it is not replaced\n"
            "hint: ccr cert renew beta --out tls gives it new dates; or move it away\n");
  EXPECT_EQ(run("cert ca --out tls").code, 1);
  EXPECT_EQ(read("tls/beta.key"), key);
  EXPECT_EQ(read("tls/ca.pem"), ca);
}

TEST_F(CertTest, RenewReplacesTheCertificateAndNeedsNoKeyOfTheNode) {
  ASSERT_EQ(run("cert ca --out tls").code, 0);
  ASSERT_EQ(run("cert issue beta --out tls --days 10").code, 0);
  std::filesystem::rename(path("tls/beta.key"), path("beta.key"));
  const json before = shown("beta.pem");
  EXPECT_EQ(run("cert renew beta --out tls").code, 0);
  const json after = shown("beta.pem");
  EXPECT_EQ(before["days_left"], 9);
  EXPECT_EQ(after["days_left"], 364);
  EXPECT_NE(after["serial"], before["serial"]);
  EXPECT_FALSE(there("tls/beta.key"));
  std::filesystem::rename(path("beta.key"), path("tls/beta.key"));
  EXPECT_EQ(run("config check --node beta").code, 0);
}

TEST_F(CertTest, ARequestIsSignedWithoutItsKey) {
  ASSERT_EQ(run("cert ca --out tls").code, 0);
  const Outcome asked = run("cert request beta --out there");
  ASSERT_EQ(asked.code, 0) << asked.err;
  EXPECT_TRUE(asked.out.starts_with("there/beta.csr\nthere/beta.key\n  key        SHA-256 ")) << asked.out;
  EXPECT_EQ(mode("there/beta.key"), 0600u);
  EXPECT_EQ(run("cert issue alpha --request there/beta.csr --out tls").code, 4);
  ASSERT_EQ(run("cert issue beta --request there/beta.csr --out tls").code, 0);
  EXPECT_NE(asked.out.find(shown("beta.pem")["key_sha256"].get<std::string>()), std::string::npos);
  EXPECT_FALSE(there("tls/beta.key"));
  EXPECT_EQ(run("cert issue beta --request there/beta.csr --out tls").code, 1) << "nothing is replaced";
  EXPECT_EQ(run("cert request beta --out there").code, 1) << "nor is a key";
  const Outcome garbage = run("cert issue gamma --request ccr.toml --out tls");
  EXPECT_EQ(garbage.code, 2);
  EXPECT_TRUE(garbage.err.starts_with("ccr: 'ccr.toml': no request in PEM form")) << garbage.err;
}

TEST_F(CertTest, TheAuthoritysKeyMayBeEncrypted) {
  std::ofstream(path("secret")) << "correct horse battery\n";
  std::ofstream(path("wrong")) << "correct horse batteries\n";
  std::ofstream(path("short")) << "horse\n";
  for (const char* file : {"secret", "wrong", "short"}) std::filesystem::permissions(path(file), std::filesystem::perms(0600));
  EXPECT_EQ(run("cert ca --out tls --passphrase-file short").code, 2);
  EXPECT_FALSE(there("tls"));
  ASSERT_EQ(run("cert ca --out tls --passphrase-file secret").code, 0);
  EXPECT_NE(read("tls/ca.key").find("ENCRYPTED"), std::string::npos);
  const Outcome without = run("cert issue beta --out tls");
  EXPECT_EQ(without.code, 2);
  EXPECT_EQ(without.err, "ccr: 'tls/ca.key' is encrypted\nhint: --passphrase-file FILE, or - for the terminal\n");
  EXPECT_EQ(run("cert issue beta --out tls --passphrase-file wrong").code, 2);
  EXPECT_FALSE(there("tls/beta.pem"));
  EXPECT_EQ(run("cert issue beta --out tls --passphrase-file secret").code, 0);
  EXPECT_EQ(read("tls/beta.key").find("ENCRYPTED"), std::string::npos) << "a node must read its own without a person";
  EXPECT_EQ(run("config check --node beta").code, 0);
}

TEST_F(CertTest, ADryRunWritesNothing) {
  EXPECT_EQ(run("cert ca --out tls --dry-run").code, 0);
  EXPECT_FALSE(there("tls"));
  ASSERT_EQ(run("cert ca --out tls").code, 0);
  const Outcome issue = run("cert issue beta --out tls --dry-run");
  EXPECT_EQ(issue.code, 0);
  EXPECT_TRUE(issue.out.starts_with("would write tls/beta.pem\nwould write tls/beta.key\n"));
  EXPECT_FALSE(there("tls/beta.pem"));
  EXPECT_FALSE(there("tls/beta.key"));
}

TEST_F(CertTest, AClusterIsNamedByTheConfigurationOrTheOption) {
  const Outcome unknown = run("--config none.toml cert ca --out tls");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_FALSE(there("tls"));
  ASSERT_EQ(run("--config none.toml cert ca --out tls --cluster shop").code, 0);
  EXPECT_EQ(shown("ca.pem")["names"], json::parse(R"(["ccr://shop"])"));
  EXPECT_EQ(run("cert issue beta --out tls --cluster lab").code, 2);
  const Outcome slash = run("cert issue a/b --out tls");
  EXPECT_EQ(slash.code, 2);
  EXPECT_EQ(slash.err, "ccr: 'a/b' is no node's name: expected letters, digits, - and _\n");
}

TEST_F(CertTest, AKeyThatOthersCanReadKeepsANodeFromStarting) {
  make_both();
  std::filesystem::permissions(path("tls/alpha.key"), std::filesystem::perms(0644));
  const Outcome serve = run("serve --node alpha");
  EXPECT_EQ(serve.code, 2);
  EXPECT_EQ(serve.err, "ccr: TLS of node alpha: '" + path("tls/alpha.key") +
                           "': a private key with mode 0644 can be read or changed by others\n" + "hint: chmod 600 " +
                           path("tls/alpha.key") + "\n");
  EXPECT_EQ(run("config check --node alpha").code, 2);
}

TEST_F(CertTest, ACertificateOfAnotherNodeKeepsANodeFromStarting) {
  make_both();
  for (const char* end : {".pem", ".key"})
    std::filesystem::copy_file(path("tls/alpha") + end, path("tls/beta") + end, std::filesystem::copy_options::overwrite_existing);
  const Outcome serve = run("serve --node beta");
  EXPECT_EQ(serve.code, 2);
  EXPECT_EQ(serve.err, "ccr: TLS of node beta: '" + path("tls/beta.pem") +
                           "': the certificate names ccr://lab/alpha, this node is ccr://lab/beta\n" +
                           "hint: ccr cert issue beta makes one for this node\n");
}

TEST_F(CertTest, FilesThatAreNotThereYetAreAWarningOfTheCheck) {
  ASSERT_EQ(run("cert ca --out tls").code, 0);
  const Outcome check = run("config check --node beta");
  EXPECT_EQ(check.code, 10);
  EXPECT_NE(check.err.find("'" + path("tls/beta.key") + "' of [tls] is not there"), std::string::npos) << check.err;
}

TEST_F(CertTest, WhatIsNoCertificateIsSaid) {
  const Outcome show = run("cert show ccr.toml");
  EXPECT_EQ(show.code, 2);
  EXPECT_TRUE(show.err.starts_with("ccr: 'ccr.toml': no certificate in PEM form")) << show.err;
}

}  // namespace
}  // namespace ccr::tools::tools_cert_test
