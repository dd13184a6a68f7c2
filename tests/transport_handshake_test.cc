// The table of transport/handshake.h, row by row.
#include "tests/transport_samples.h"
#include "transport/handshake.h"

namespace ccr::transport {
namespace {

// The active copy of `orders` on alpha: generations 3 to 5 are held, 5 is open and durable up to 12288; it fits sample_hello().
ActiveFacts sample_facts() {
  ActiveFacts facts;
  facts.cluster = "lab";
  facts.node = "alpha";
  facts.database = "orders";
  facts.kind = "sqlite";
  facts.active = true;
  facts.ready = true;
  facts.copies = {"alpha", "beta", "gamma"};
  facts.signature = sample_signature();
  facts.epoch = 3;
  facts.first = {3};
  facts.durable = {{5}, 12288};
  facts.durable_commit = 77;
  facts.page_size = 4096;
  facts.generation_bytes = MiB;
  facts.own_digests = {digest_of(0xaa), digest_of(0xbb)};
  return facts;
}

void expect_refusal(const Hello& hello, const ActiveFacts& facts, RefuseReason reason, const std::string& text,
                    const std::string& hint) {
  const HandshakeAnswer answer = decide_handshake(hello, facts);
  ASSERT_TRUE(answer.refuse.has_value());
  EXPECT_STREQ(name_of(answer.refuse->reason), name_of(reason));
  EXPECT_EQ(answer.refuse->text, text);
  EXPECT_EQ(answer.refuse->hint, hint);
}

void expect_verdict(const Hello& hello, const ActiveFacts& facts, Verdict verdict, std::uint64_t fork = 0) {
  const HandshakeAnswer answer = decide_handshake(hello, facts);
  ASSERT_FALSE(answer.refuse.has_value()) << answer.refuse->text;
  EXPECT_STREQ(name_of(answer.welcome.verdict), name_of(verdict));
  EXPECT_EQ(answer.welcome.fork.number, fork);
}

TEST(Handshake, WelcomeSaysWhatTheActiveIs) {
  const HandshakeAnswer answer = decide_handshake(sample_hello(), sample_facts());
  ASSERT_FALSE(answer.refuse.has_value());
  EXPECT_EQ(answer.welcome.version, 1);
  EXPECT_EQ(answer.welcome.node, "alpha");
  EXPECT_EQ(answer.welcome.session, 0x1122334455667788u);
  EXPECT_EQ(answer.welcome.signature, sample_signature());
  EXPECT_EQ(answer.welcome.epoch, 3u);
  EXPECT_EQ(answer.welcome.page_size, 4096u);
  EXPECT_EQ(answer.welcome.generation_bytes, MiB);
  EXPECT_EQ(answer.welcome.first, Generation{3});
  EXPECT_EQ(answer.welcome.durable, (Position{{5}, 12288}));
  EXPECT_EQ(answer.welcome.durable_commit, 77u);
}

TEST(Handshake, AHelloInTheNameThatTheConnectionProvedIsWelcome) {
  ActiveFacts facts = sample_facts();
  facts.proven_peer = "beta";
  expect_verdict(sample_hello(), facts, Verdict::same);
}

TEST(Handshake, AHelloInAnotherNameThanTheConnectionProvedIsRefused) {
  ActiveFacts facts = sample_facts();
  facts.proven_peer = "gamma";
  expect_refusal(sample_hello(), facts, RefuseReason::node, "the hello says that node 'beta' speaks, its certificate names 'gamma'",
                 "start ccr there as --node gamma, or give it the files of its own name");
}

TEST(Handshake, AHelloToMeasureNeedsNoDatabaseAndGetsNoLog) {
  Hello hello;
  hello.purpose = Purpose::measure;
  hello.cluster = "lab";
  hello.from_node = "gamma";
  hello.to_node = "alpha";
  hello.session = 7;
  ActiveFacts facts;
  facts.cluster = "lab";
  facts.node = "alpha";
  facts.proven_peer = "gamma";
  facts.copies = {"alpha", "beta", "gamma"};
  expect_verdict(hello, facts, Verdict::unknown);
  EXPECT_EQ(decide_handshake(hello, facts).welcome.session, 7u);
  EXPECT_EQ(decide_handshake(hello, facts).welcome.node, "alpha");
  EXPECT_FALSE(decide_handshake(hello, facts).welcome.durable.known());
  facts.proven_peer = "beta";
  expect_refusal(hello, facts, RefuseReason::node, "the hello says that node 'gamma' speaks, its certificate names 'beta'",
                 "start ccr there as --node beta, or give it the files of its own name");
  facts.proven_peer = "gamma";
  facts.copies = {"alpha", "beta"};
  expect_refusal(hello, facts, RefuseReason::node, "node 'gamma' is none that alpha knows: alpha, beta",
                 "compare [nodes] in the configuration of both nodes");
  hello.from_node = facts.proven_peer = "alpha";
  expect_refusal(hello, facts, RefuseReason::node, "node 'alpha' is none that alpha knows: alpha, beta",
                 "compare [nodes] in the configuration of both nodes");
}

TEST(Handshake, AHelloToRepairMayGoToACopyThatIsNotActive) {
  Hello hello = sample_hello();
  hello.purpose = Purpose::repair;
  hello.chain.clear();
  hello.wanted = Position{};
  ActiveFacts facts = sample_facts();
  facts.active = false;
  facts.own_digests.clear();
  expect_verdict(hello, facts, Verdict::unknown);
  EXPECT_EQ(decide_handshake(hello, facts).welcome.signature, sample_signature());
  facts.ready = false;
  expect_refusal(hello, facts, RefuseReason::not_ready, "orders@alpha has no proven pages now", "ccr status shows why");
  hello.purpose = Purpose::seed;
  expect_refusal(hello, facts, RefuseReason::not_active, "orders@alpha is not the active copy", "ccr status shows which copy is");
}

// --- refusals ----------------------------------------------------------------------------------------------------------------

TEST(Handshake, RefusesVersionsWithoutOverlap) {
  Hello hello = sample_hello();
  hello.version_min = 2;
  hello.version_max = 3;
  expect_refusal(hello, sample_facts(), RefuseReason::version, "the copy speaks protocol 2 to 3, alpha speaks 1",
                 "install the same version of ccr on both nodes (ccr version)");
}

TEST(Handshake, TakesTheHighestVersionThatBothSpeak) {
  Hello hello = sample_hello();
  hello.version_max = 9;
  EXPECT_EQ(decide_handshake(hello, sample_facts()).welcome.version, 1);
}

TEST(Handshake, RefusesAnotherCluster) {
  Hello hello = sample_hello();
  hello.cluster = "prod";
  expect_refusal(hello, sample_facts(), RefuseReason::cluster, "node beta belongs to cluster 'prod', alpha to 'lab'",
                 "compare cluster and addresses in the configuration of both nodes");
}

TEST(Handshake, RefusesAHelloForAnotherNode) {
  Hello hello = sample_hello();
  hello.to_node = "delta";
  expect_refusal(hello, sample_facts(), RefuseReason::node, "beta looks for node 'delta' here, this is 'alpha'",
                 "compare the addresses in the configuration of both nodes");
}

TEST(Handshake, RefusesANodeThatMayHaveNoCopy) {
  Hello hello = sample_hello();
  hello.from_node = "delta";
  expect_refusal(hello, sample_facts(), RefuseReason::node,
                 "node 'delta' has no copy of 'orders' by the configuration of alpha; copies: alpha, beta, gamma",
                 "add it to copies of the database on both nodes, or on neither: ccr add, ccr forget");
}

TEST(Handshake, RefusesItself) {
  Hello hello = sample_hello();
  hello.from_node = "alpha";
  EXPECT_EQ(decide_handshake(hello, sample_facts()).refuse.value().reason, RefuseReason::node);
}

TEST(Handshake, RefusesAnotherDatabase) {
  Hello hello = sample_hello();
  hello.database = "bills";
  expect_refusal(hello, sample_facts(), RefuseReason::database, "node alpha has no database 'bills'",
                 "compare the databases in the configuration of both nodes");
}

TEST(Handshake, RefusesWhereTheCopyIsNotTheActiveOne) {
  ActiveFacts facts = sample_facts();
  facts.active = false;
  expect_refusal(sample_hello(), facts, RefuseReason::not_active, "orders@alpha is not the active copy",
                 "ccr status shows which copy is");
  facts.active_node = sample_hello().from_node;
  facts.epoch = 7;
  expect_refusal(sample_hello(), facts, RefuseReason::not_active, "orders@alpha is not the active copy; it knows of epoch 7, in which orders@beta is",
                 "the disk of beta is an older one: `ccr activate orders --on beta` fetches what it lacks from alpha, and serves");
}

TEST(Handshake, RefusesAnotherKind) {
  Hello hello = sample_hello();
  hello.kind = "pages";
  expect_refusal(hello, sample_facts(), RefuseReason::kind, "orders@beta is of kind 'pages', the active copy of 'sqlite'",
                 "compare kind in the configuration of both nodes");
}

TEST(Handshake, RefusesWhileTheLogIsNotOpen) {
  ActiveFacts facts = sample_facts();
  facts.ready = false;
  expect_refusal(sample_hello(), facts, RefuseReason::not_ready, "the log of orders@alpha is not open", "ccr status shows why");
}

TEST(Handshake, RefusesACopyWithAHigherEpochAndNamesBoth) {
  Hello hello = sample_hello();
  hello.epoch = 7;
  expect_refusal(hello, sample_facts(), RefuseReason::epoch, "orders@beta has seen epoch 7, the active copy on alpha has epoch 3",
                 "epoch 7 was a later activation than epoch 3: find the copy that was activated last and activate that one");
}

TEST(Handshake, TakesACopyWithALowerEpoch) {
  Hello hello = sample_hello();
  hello.epoch = 1;
  expect_verdict(hello, sample_facts(), Verdict::same);
}

// --- verdicts ----------------------------------------------------------------------------------------------------------------

TEST(Handshake, NoSignatureIsUnseeded) {
  Hello hello = sample_hello();
  hello.signature = {};
  expect_verdict(hello, sample_facts(), Verdict::unseeded);
}

TEST(Handshake, AnotherSignatureIsAnotherHistory) {
  Hello hello = sample_hello();
  hello.signature.bytes[0] = std::byte{0xff};
  expect_verdict(hello, sample_facts(), Verdict::other_history);
}

TEST(Handshake, EqualPrefixAndEqualEndIsTheSame) { expect_verdict(sample_hello(), sample_facts(), Verdict::same); }

TEST(Handshake, EqualPrefixAndMoreHereIsBehind) {
  ActiveFacts facts = sample_facts();
  facts.durable = {{9}, 4096};
  expect_verdict(sample_hello(), facts, Verdict::behind);
}

TEST(Handshake, ACopyThatLacksOnlyTheNextHeaderIsBehind) {
  Hello hello = sample_hello();
  hello.chain = {{{5}, 0, digest_of(0xaa)}, {{4}, 0, digest_of(0xbb)}};
  hello.wanted = {{6}, 0};
  ActiveFacts facts = sample_facts();
  facts.durable = Position::start_of({6});
  expect_verdict(hello, facts, Verdict::behind);
}

TEST(Handshake, ACopyThatWantsWhatIsBehindOurEndIsAhead) {
  ActiveFacts facts = sample_facts();
  facts.durable = {{5}, 8192};
  facts.own_digests = {std::nullopt, digest_of(0xbb)};
  expect_verdict(sample_hello(), facts, Verdict::ahead, 5);
}

TEST(Handshake, ADifferentOpenPrefixForksInTheOpenGeneration) {
  ActiveFacts facts = sample_facts();
  facts.own_digests = {digest_of(0x01), digest_of(0xbb)};
  expect_verdict(sample_hello(), facts, Verdict::forked, 5);
}

TEST(Handshake, TheForkIsTheLowestGenerationThatDiffers) {
  Hello hello = sample_hello();
  hello.chain = {{{9}, 8192, digest_of(9)}, {{8}, 0, digest_of(8)}, {{7}, 0, digest_of(7)}, {{6}, 0, digest_of(6)}};
  hello.wanted = {{9}, 8192};
  ActiveFacts facts = sample_facts();
  facts.durable = {{12}, 4096};
  facts.own_digests = {digest_of(0x19), digest_of(0x18), digest_of(0x17), digest_of(6)};
  expect_verdict(hello, facts, Verdict::forked, 7);
}

TEST(Handshake, AForkIsSeenAlsoWhereTheCopyIsLongerThanTheActive) {
  Hello hello = sample_hello();
  hello.chain = {{{9}, 8192, digest_of(9)}, {{8}, 0, digest_of(8)}, {{7}, 0, digest_of(7)}};
  hello.wanted = {{9}, 8192};
  ActiveFacts facts = sample_facts();
  facts.durable = {{8}, 65536};
  facts.own_digests = {std::nullopt, digest_of(0x18), digest_of(7)};
  expect_verdict(hello, facts, Verdict::forked, 8);
}

TEST(Handshake, AnEqualOlderPrefixOfTheOpenGenerationForksInThatGeneration) {
  Hello hello = sample_hello();
  hello.chain = {{{5}, 12288, digest_of(0xaa)}, {{5}, 8192, digest_of(0xa0)}};
  ActiveFacts facts = sample_facts();
  facts.own_digests = {digest_of(0x01), digest_of(0xa0)};
  expect_verdict(hello, facts, Verdict::forked, 5);
}

// The active sealed generation 5 earlier than the copy's open one is long, and went on.
TEST(Handshake, APrefixThatOurLogPassedWithoutHavingItIsAFork) {
  ActiveFacts facts = sample_facts();
  facts.durable = {{6}, 8192};
  facts.own_digests = {std::nullopt, digest_of(0xbb)};
  expect_verdict(sample_hello(), facts, Verdict::forked, 5);
}

TEST(Handshake, DifferentFromGenerationOneOnIsForkedAtOne) {
  Hello hello = sample_hello();
  hello.chain = {{{2}, 8192, digest_of(2)}, {{1}, 0, digest_of(1)}};
  hello.wanted = {{2}, 8192};
  ActiveFacts facts = sample_facts();
  facts.first = {1};
  facts.own_digests = {digest_of(0x12), digest_of(0x11)};
  expect_verdict(hello, facts, Verdict::forked, 1);
}

TEST(Handshake, AForkOlderThanEveryPointIsUnknown) {
  ActiveFacts facts = sample_facts();
  facts.own_digests = {digest_of(0x01), digest_of(0x02)};
  expect_verdict(sample_hello(), facts, Verdict::unknown);
}

TEST(Handshake, TruncatedLogIsUnknown) {
  ActiveFacts facts = sample_facts();
  facts.first = {6};
  facts.durable = {{9}, 4096};
  facts.own_digests = {std::nullopt, std::nullopt};
  expect_verdict(sample_hello(), facts, Verdict::unknown);
}

TEST(Handshake, ACopyWithSignatureThatWantsNothingIsUnknown) {
  Hello hello = sample_hello();
  hello.chain.clear();
  hello.wanted = {};
  ActiveFacts facts = sample_facts();
  facts.own_digests.clear();
  expect_verdict(hello, facts, Verdict::unknown);
}

TEST(Handshake, AFreshlySeededCopyWithAnEmptyLogIsBehind) {
  Hello hello = sample_hello();
  hello.chain.clear();
  hello.wanted = {{3}, 0};
  ActiveFacts facts = sample_facts();
  facts.own_digests.clear();
  expect_verdict(hello, facts, Verdict::behind);
}

TEST(Handshake, AnEmptyLogThatWantsTruncatedGenerationsIsUnknown) {
  Hello hello = sample_hello();
  hello.chain.clear();
  hello.wanted = {{2}, 0};
  ActiveFacts facts = sample_facts();
  facts.own_digests.clear();
  expect_verdict(hello, facts, Verdict::unknown);
}

TEST(Handshake, AnEmptyLogThatWantsWhatDoesNotExistYetIsAhead) {
  Hello hello = sample_hello();
  hello.chain.clear();
  hello.wanted = {{6}, 0};
  ActiveFacts facts = sample_facts();
  facts.own_digests.clear();
  expect_verdict(hello, facts, Verdict::ahead);
}

// Everything the copy has was truncated here, and the next header carries the digest of the copy's last generation.
TEST(Handshake, ACopyAtAGenerationsStartWhosePointsAreTruncatedHereIsBehind) {
  Hello hello = sample_hello();
  hello.chain = {{{2}, 0, digest_of(2)}, {{1}, 0, digest_of(1)}};
  hello.wanted = {{3}, 0};
  ActiveFacts facts = sample_facts();
  facts.own_digests = {std::nullopt, std::nullopt};
  expect_verdict(hello, facts, Verdict::behind);
}

TEST(Handshake, AnOpenPrefixThatNothingProvesIsUnknown) {
  Hello hello = sample_hello();
  hello.chain = {{{5}, 12288, digest_of(0xaa)}};
  ActiveFacts facts = sample_facts();
  facts.durable = {{6}, 8192};
  facts.own_digests = {std::nullopt};
  expect_verdict(hello, facts, Verdict::unknown);
}

// --- the answer, as who said hello hears it ------------------------------------------------------------------------------------

TEST(Handshake, TheAnswerToAHelloIsBelieved) {
  EXPECT_TRUE(check_welcome(sample_hello(), decide_handshake(sample_hello(), sample_facts()).welcome).ok());
  Hello older = sample_hello();
  older.epoch = 1;
  EXPECT_TRUE(check_welcome(older, decide_handshake(older, sample_facts()).welcome).ok());
}

TEST(Handshake, AWelcomeThatIsNoAnswerToTheHelloIsRefused) {
  const auto refusal = [](auto change) {
    Welcome welcome = decide_handshake(sample_hello(), sample_facts()).welcome;
    change(welcome);
    const Result<void> checked = check_welcome(sample_hello(), welcome);
    expect_kind(checked, ErrorKind::protocol);
    return checked.ok() ? "" : checked.error().message;
  };
  EXPECT_EQ(refusal([](Welcome& welcome) { welcome.session = 0x50; }), "alpha welcomed session 50, expected 1122334455667788");
  EXPECT_EQ(refusal([](Welcome& welcome) { welcome.node = "gamma"; }), "alpha welcomed as node 'gamma', expected 'alpha'");
  EXPECT_EQ(refusal([](Welcome& welcome) { welcome.version = 2; }), "alpha welcomed protocol 2, expected 1");
  EXPECT_EQ(refusal([](Welcome& welcome) { welcome.version = 0; }), "alpha welcomed protocol 0, expected 1");
  EXPECT_EQ(refusal([](Welcome& welcome) { welcome.epoch = 2; }),
            "alpha welcomed epoch 2, expected 3 or above, which this copy has seen");
}

}  // namespace
}  // namespace ccr::transport
