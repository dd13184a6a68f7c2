// The three files of [tls], and what the code of `ccr cert` makes.
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/tls_fixture.h"
#include "transport/tls_network.h"

namespace ccr::transport {
namespace {

TEST(NodeName, IsReadOnlyInItsOneForm) {
  const NodeName beta{"lab", "beta"}, authority{"lab", ""};
  EXPECT_EQ(parse_node_name("ccr://lab/beta"), beta);
  EXPECT_EQ(parse_node_name("ccr://lab"), authority);
  EXPECT_EQ(beta.text(), "ccr://lab/beta");
  EXPECT_EQ(authority.text(), "ccr://lab");
  for (const char* wrong : {"", "ccr:/lab/beta", "CCR://lab/beta", "ccr://", "ccr:///beta", "ccr://lab/", "ccr://lab/be/ta",
                            "ccr://lab/..", "ccr://lab/be ta", "ccr://lab/beta\n", "ccr://lab/beta?x",
                            "ccr://l\xc3\xa4"
                            "b/beta"}) {
    EXPECT_FALSE(parse_node_name(wrong).has_value()) << wrong;
  }
  EXPECT_FALSE(parse_node_name("ccr://lab/" + std::string(64, 'a')).has_value());
  EXPECT_FALSE(parse_node_name(std::string("ccr://lab/be\0ta", 15)).has_value());
}

TEST(Issuer, AnAuthorityNamesItsClusterAndAnIssuedNodeItsNode) {
  const KeyPair authority = authority_of("lab");
  const CertificateFacts ca = facts_of(*authority.certificate);
  EXPECT_TRUE(ca.authority);
  EXPECT_EQ(ca.subject, "ccr authority of lab");
  EXPECT_EQ(ca.uris, std::vector<std::string>{"ccr://lab"});
  const CertificateFacts node = facts_of(*node_of(authority, "beta").certificate);
  EXPECT_FALSE(node.authority);
  EXPECT_TRUE(node.for_server && node.for_client);
  EXPECT_EQ(node.issuer, "ccr authority of lab");
  EXPECT_EQ(node.uris, std::vector<std::string>{"ccr://lab/beta"});
  EXPECT_EQ(node.key, "EC P-256");
  EXPECT_EQ(to_rfc3339(node.not_after), "2028-01-15T08:00:00Z");
  EXPECT_EQ(node.fingerprint.size(), 64u);
}

TEST(Issuer, ValidityBeginsAnHourBeforeAndLastsTheDaysAsked) {
  const Validity year = validity_from(noon, 365);
  EXPECT_EQ(to_rfc3339(year.from), "2027-01-15T07:00:00Z");
  EXPECT_EQ(to_rfc3339(year.until), "2028-01-15T08:00:00Z");
}

TEST(Issuer, ARenewedCertificateHasTheSameNameAndKeyAndAnotherNumber) {
  const KeyPair authority = authority_of("lab");
  const KeyPair beta = node_of(authority, "beta", around_noon(100, 1));
  const Result<CertificateHandle> renewed = renew_node(authority, *beta.certificate, around_noon(0, 365));
  ASSERT_TRUE(renewed.ok());
  const CertificateFacts before = facts_of(*beta.certificate), after = facts_of(**renewed);
  EXPECT_EQ(after.name, before.name);
  EXPECT_NE(after.serial, before.serial);
  EXPECT_EQ(to_rfc3339(after.not_after), "2028-01-15T08:00:00Z");
  const TlsContent content{pem_of(*authority.certificate), pem_of(**renewed), pem_of(*beta.key)};
  const NodeName name{"lab", "beta"};
  EXPECT_TRUE(TlsIdentity::make(content, file_names, name).ok());
}

TEST(Issuer, ARequestBecomesACertificateOfItsKeyAndOfNothingElseThatItSays) {
  const KeyPair authority = authority_of("lab");
  const Result<NodeRequest> asked = make_request("beta");
  ASSERT_TRUE(asked.ok());
  const Result<RequestHandle> arrived = read_request(pem_of(*asked->request));
  ASSERT_TRUE(arrived.ok());
  EXPECT_EQ(facts_of(**arrived).node, "beta");
  const Result<CertificateHandle> made = issue_requested(authority, "beta", **arrived, around_noon(1, 365));
  ASSERT_TRUE(made.ok());
  const CertificateFacts facts = facts_of(**made);
  EXPECT_EQ(facts.key_fingerprint, facts_of(*asked->request).key_fingerprint);
  EXPECT_EQ(facts.name->text(), "ccr://lab/beta");
  EXPECT_FALSE(facts.authority);
  const Result<CertificateHandle> other = issue_requested(authority, "gamma", **arrived, around_noon(1, 365));
  expect_message(other, "the request is of 'beta', not of 'gamma'");
}

TEST(Issuer, ARequestThatItsKeyDidNotSignIsRefused) {
  const KeyPair authority = authority_of("lab");
  const Result<NodeRequest> asked = make_request("beta");
  ASSERT_TRUE(asked.ok());
  const KeyHandle other = make_key();
  ASSERT_EQ(X509_REQ_set_pubkey(asked->request.get(), other.get()), 1);
  expect_kind(issue_requested(authority, "beta", *asked->request, around_noon(1, 365)), ErrorKind::refused);
  expect_kind(read_request("-----BEGIN CERTIFICATE REQUEST-----\n"), ErrorKind::config);
}

TEST(Issuer, AnEncryptedKeyIsReadWithItsPassphraseOnly) {
  const KeyHandle key = make_key();
  const std::string pem = pem_of(*key, "a long passphrase");
  EXPECT_NE(pem.find("ENCRYPTED"), std::string::npos);
  expect_kind(read_private_key(pem), ErrorKind::config);
  expect_kind(read_private_key(pem, "another passphrase"), ErrorKind::config);
  const Result<KeyHandle> back = read_private_key(pem, "a long passphrase");
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(EVP_PKEY_eq(back->get(), key.get()), 1);
}

TEST(Issuer, ANodeOfAnotherClusterIsNotRenewed) {
  const KeyPair lab = authority_of("lab"), shop = authority_of("shop");
  const KeyPair beta = node_of(shop, "beta");
  const Result<CertificateHandle> renewed = renew_node(lab, *beta.certificate, around_noon(0, 365));
  EXPECT_FALSE(renewed.ok());
}

TEST(Identity, AnotherNodesCertificateIsRefused) {
  const KeyPair authority = authority_of("lab");
  const NodeName alpha{"lab", "alpha"};
  expect_message(try_identity(authority, node_of(authority, "beta"), alpha),
                 "'node.pem': the certificate names ccr://lab/beta, this node is ccr://lab/alpha");
}

TEST(Identity, ACertificateOfAnotherAuthorityIsRefused) {
  const KeyPair lab = authority_of("lab"), other = authority_of("lab");
  const NodeName beta{"lab", "beta"};
  const auto made = try_identity(lab, node_of(other, "beta"), beta);
  expect_kind(made, ErrorKind::config);
  EXPECT_TRUE(made.error().message.starts_with("'node.pem': signed by 'ccr authority of lab', which is no authority in 'ca.pem'"));
}

TEST(Identity, AKeyThatIsNotTheCertificatesIsRefused) {
  const KeyPair authority = authority_of("lab");
  KeyPair beta = node_of(authority, "beta");
  beta.key = make_key();
  const NodeName name{"lab", "beta"};
  expect_message(try_identity(authority, beta, name), "'node.key' is not the key of 'node.pem'");
}

TEST(Identity, ANodesCertificateIsNoAuthority) {
  const KeyPair authority = authority_of("lab");
  const KeyPair beta = node_of(authority, "beta");
  const NodeName name{"lab", "beta"};
  expect_message(try_identity(beta, beta, name), "'ca.pem': 'beta' is no authority");
}

TEST(Identity, FilesThatAreNoPemAreRefusedByName) {
  const KeyPair authority = authority_of("lab");
  const KeyPair beta = node_of(authority, "beta");
  const TlsContent good{pem_of(*authority.certificate), pem_of(*beta.certificate), pem_of(*beta.key)};
  const NodeName name{"lab", "beta"};
  const auto message = [&](TlsContent content) {
    const auto made = TlsIdentity::make(content, file_names, name);
    return made.ok() ? std::string("made") : made.error().message;
  };
  EXPECT_TRUE(message({"nonsense", good.certificate, good.key}).starts_with("'ca.pem': no certificate in PEM form"));
  EXPECT_TRUE(message({good.ca, "nonsense", good.key}).starts_with("'node.pem': no certificate in PEM form"));
  EXPECT_TRUE(message({good.ca, good.certificate, "nonsense"}).starts_with("'node.key': no private key in PEM form"));
  for (std::size_t cut = 0; cut + 30 < good.certificate.size(); cut += 13) {
    EXPECT_NE(message({good.ca, good.certificate.substr(0, cut), good.key}), "made") << cut;
  }
  EXPECT_EQ(message(good), "made");
}

TEST(Identity, TwoAuthoritiesInOneFileAreBothBelieved) {
  const KeyPair old = authority_of("lab"), next = authority_of("lab");
  const KeyPair beta = node_of(next, "beta");
  const TlsContent content{pem_of(*old.certificate) + pem_of(*next.certificate), pem_of(*beta.certificate), pem_of(*beta.key)};
  const NodeName name{"lab", "beta"};
  EXPECT_TRUE(TlsIdentity::make(content, file_names, name).ok());
}

class KeyFile : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/ccr-key-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/node.key";
    std::ofstream(path_) << "a key";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  bool accepted(mode_t mode) const {
    EXPECT_EQ(chmod(path_.c_str(), mode), 0);
    return read_pem_file(path_, FileSecrecy::secret).ok();
  }
  std::string directory_, path_;
};

TEST_F(KeyFile, ThatOthersMayReadIsRefusedWithItsMode) {
  EXPECT_TRUE(accepted(0600));
  EXPECT_TRUE(accepted(0400));
  for (const mode_t mode : {0644, 0604, 0660, 0620, 0601, 0777}) EXPECT_FALSE(accepted(mode)) << std::oct << mode;
  EXPECT_EQ(chmod(path_.c_str(), 0644), 0);
  const Result<std::string> read = read_pem_file(path_, FileSecrecy::secret);
  expect_message(read, "'" + path_ + "': a private key with mode 0644 can be read or changed by others");
  EXPECT_EQ(read.error().hint, "chmod 600 " + path_);
  EXPECT_TRUE(read_pem_file(path_, FileSecrecy::open).ok());
}

TEST_F(KeyFile, ThatIsMissingOrNoFileIsSaid) {
  expect_message(read_pem_file(directory_ + "/none", FileSecrecy::open), "'" + directory_ + "/none': No such file or directory");
  expect_message(read_pem_file(directory_, FileSecrecy::open), "'" + directory_ + "': expected a file");
  const std::string fifo = directory_ + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  expect_message(read_pem_file(fifo, FileSecrecy::open), "'" + fifo + "': expected a file");
  std::ofstream(path_) << std::string(pem_bytes_max + 1, 'x');
  expect_message(read_pem_file(path_, FileSecrecy::open), "'" + path_ + "': more than 64 KiB");
}

}  // namespace
}  // namespace ccr::transport
