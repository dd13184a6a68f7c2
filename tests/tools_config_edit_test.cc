// The configuration file as `ccr add` and `ccr forget` change it: nothing but what is meant, to the byte.
#include <gtest/gtest.h>

#include "engine/config.h"
#include "tests/config_example.h"
#include "tools/config_edit.h"

namespace ccr::tools::editing {

const std::string file = R"(cluster = "lab"   # größer als ein Name

[nodes.alpha]
addresses = ["10.77.0.1:64327"]
[nodes.beta]
addresses = ["10.77.0.2:64327"]

# the orders of the shop
[databases.orders]
kind   = "sqlite"
path   = "/srv/ö/orders.db"
logs   = "/srv/orders-log"
copies = ["alpha", "beta"]   # [alpha] first
replay_lag = { beta = "1h" } # on purpose

# how it is sent
[transport]
streams = "auto"
)";

std::vector<std::string> changed(const Result<std::string>& after, const std::string& before = file) {
  EXPECT_TRUE(after.ok()) << after.error().message;
  return after.ok() ? changed_lines(before, *after) : std::vector<std::string>();
}

using Lines = std::vector<std::string>;

const NewDatabase mail{"mail", "pages", "/srv/{node}/mail.db", "/srv/mail-log", {"alpha", "beta"}};

TEST(ConfigEdit, ANewTableStandsBehindTheLastDatabase) {
  const Result<std::string> after = with_database(file, mail);
  EXPECT_EQ(changed(after), (Lines{"+ [databases.mail]", "+ kind   = \"pages\"", "+ path   = \"/srv/{node}/mail.db\"", "+ logs   = \"/srv/mail-log\"",
                                   "+ copies = [\"alpha\", \"beta\"]", "+ "}));
  EXPECT_NE(after->find("# on purpose\n\n[databases.mail]\n"), std::string::npos);
  EXPECT_NE(after->find("[\"alpha\", \"beta\"]\n\n# how it is sent\n[transport]"), std::string::npos);
}

TEST(ConfigEdit, TheFirstTableStandsAtTheEnd) {
  const std::string bare = "cluster = \"lab\"\n[nodes.alpha]\naddresses = [\"10.77.0.1:64327\"]";
  const Result<std::string> after = with_database(bare, mail);
  ASSERT_TRUE(after.ok());
  EXPECT_TRUE(after->starts_with(bare + "\n\n[databases.mail]\n")) << *after;
}

TEST(ConfigEdit, AddedAndForgottenIsTheFileAsItWas) {
  for (const std::string& text : {file, engine::example_config}) {
    const Result<std::string> more = with_database(text, mail);
    ASSERT_TRUE(more.ok());
    const Result<std::string> back = without_database(*more, "mail");
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(*back, text);
    const Result<std::string> copies = with_copy(text, "orders", "gamma");
    ASSERT_TRUE(copies.ok());
    const Result<std::string> fewer = without_copy(*copies, "orders", "gamma");
    ASSERT_TRUE(fewer.ok()) << fewer.error().message;
    EXPECT_EQ(*fewer, text);
  }
}

TEST(ConfigEdit, ACopyMoreIsTheLastOfTheList) {
  EXPECT_EQ(changed(with_copy(file, "orders", "gamma")),
            (Lines{"- copies = [\"alpha\", \"beta\"]   # [alpha] first", "+ copies = [\"alpha\", \"beta\", \"gamma\"]   # [alpha] first"}));
}

TEST(ConfigEdit, ACopyGoesWithItsLag) {
  EXPECT_EQ(changed(without_copy(file, "orders", "beta")),
            (Lines{"- copies = [\"alpha\", \"beta\"]   # [alpha] first", "- replay_lag = { beta = \"1h\" } # on purpose", "+ copies = [\"alpha\"]   # [alpha] first"}));
  EXPECT_EQ(changed(without_copy(file, "orders", "alpha")),
            (Lines{"- copies = [\"alpha\", \"beta\"]   # [alpha] first", "+ copies = [\"beta\"]   # [alpha] first"}));
}

TEST(ConfigEdit, OfSeveralLagsOneGoes) {
  const std::string text = "[databases.orders]\ncopies = [\"a\", \"b\", \"c\"]\nreplay_lag = { b = \"1h\", c = \"2h\" }\n[databases.orders.truncation_lag]\nb = \"1d\"\nc = \"2d\"\n";
  const Result<std::string> without_b = without_copy(text, "orders", "b"), without_c = without_copy(text, "orders", "c");
  ASSERT_TRUE(without_b.ok() && without_c.ok());
  EXPECT_EQ(*without_b, "[databases.orders]\ncopies = [\"a\", \"c\"]\nreplay_lag = { c = \"2h\" }\n[databases.orders.truncation_lag]\nc = \"2d\"\n");
  EXPECT_EQ(*without_c, "[databases.orders]\ncopies = [\"a\", \"b\"]\nreplay_lag = { b = \"1h\" }\n[databases.orders.truncation_lag]\nb = \"1d\"\n");
}

TEST(ConfigEdit, AListOfSeveralLinesKeepsItsComments) {
  const std::string text = "[databases.orders]\ncopies = [\n  \"alpha\",  # the shop\n  \"beta\",   # the cellar\n]\n";
  const Result<std::string> more = with_copy(text, "orders", "gamma");
  ASSERT_TRUE(more.ok());
  EXPECT_EQ(*more, "[databases.orders]\ncopies = [\n  \"alpha\",  # the shop\n  \"beta\", \"gamma\",   # the cellar\n]\n");
  const Result<std::string> fewer = without_copy(text, "orders", "beta");
  ASSERT_TRUE(fewer.ok());
  EXPECT_NE(fewer->find("\"alpha\",  # the shop\n"), std::string::npos) << *fewer;
  EXPECT_EQ(fewer->find("\"beta\""), std::string::npos) << *fewer;
}

TEST(ConfigEdit, ATableGoesWithTheCommentAboveItAndItsOwnTables) {
  const Result<std::string> after = without_database(file, "orders");
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->find("orders"), std::string::npos) << *after;
  EXPECT_NE(after->find("[nodes.beta]\naddresses = [\"10.77.0.2:64327\"]\n\n# how it is sent\n[transport]"), std::string::npos) << *after;
  const Result<std::string> two = without_database("[databases.a]\nx = 1\n[databases.ab]\nx = 2\n[databases.a.replay_lag]\nb = 1\n", "a");
  ASSERT_TRUE(two.ok());
  EXPECT_EQ(*two, "[databases.ab]\nx = 2\n");
}

TEST(ConfigEdit, WhatLooksLikeATableInAStringIsNone) {
  const std::string text = "[databases.a]\non_demote = \"\"\"\n[databases.b]\n\"\"\"\ncopies = [\"x\"]\n[databases.c]\ncopies = [\"x\"]\n";
  const Result<std::string> after = without_database(text, "a");
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(*after, "[databases.c]\ncopies = [\"x\"]\n");
}

TEST(ConfigEdit, OtherFormsAreForAPerson) {
  for (const char* text : {"databases.orders.copies = [\"a\", \"b\"]\n", "[databases]\norders = { copies = [\"a\", \"b\"] }\n", "databases = { orders = { copies = [\"a\"] } }\n"}) {
    const Result<std::string> gone = without_database(text, "orders");
    ASSERT_FALSE(gone.ok()) << text << *gone;
    EXPECT_EQ(gone.error().kind, ErrorKind::config);
    EXPECT_NE(gone.error().hint, "");
  }
  EXPECT_FALSE(with_database("databases = { orders = { copies = [\"a\"] } }\n", mail).ok());
}

TEST(ConfigEdit, NamesInAStringAreQuoted) {
  NewDatabase strange = mail;
  strange.path = "/srv/a \"b\" \\c.db";
  const Result<std::string> after = with_database(engine::example_config, strange);
  ASSERT_TRUE(after.ok());
  const Result<engine::Config> config = engine::parse_config(*after, "ccr.toml", "alpha");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->databases.at("mail").path, strange.path);
}

}  // namespace ccr::tools::editing
