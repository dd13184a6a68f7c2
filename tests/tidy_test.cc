// The rules of the house, held against the tree; each is tried on a planted line first, so that a rule that stopped working shows.
#include <gtest/gtest.h>

#include <map>

#include "tests/tidy/house_rules.h"

namespace ccr::tidy {
namespace {

const std::vector<SourceText>& tree() {
  static const std::vector<SourceText> files = read_tree(CCR_SOURCE_DIR);
  return files;
}

std::string listed(const Findings& findings) {
  std::string text;
  for (const std::string& one : findings) text += "\n  " + one;
  return text;
}

template <class Rule>
Findings across_tree(Rule rule) {
  Findings all;
  for (const SourceText& file : tree()) {
    const Findings found = rule(file);
    all.insert(all.end(), found.begin(), found.end());
  }
  return all;
}

template <class Rule>
void expect_clean(Rule rule) {
  const Findings found = across_tree(rule);
  EXPECT_TRUE(found.empty()) << listed(found);
}

// A sample is what a file at that path would hold.
template <class Rule>
std::size_t count_in(Rule rule, std::string path, std::string text) {
  return rule(source_text(std::move(path), std::move(text))).size();
}

TEST(Tree, IsFoundWithAllItsFolders) {
  std::map<std::string, int> files;
  for (const SourceText& file : tree()) ++files[file.folder()];
  EXPECT_EQ(files.size(), 9u);
  EXPECT_GT(files["base"], 10);
  EXPECT_GT(files["engine"], 10);
  EXPECT_GT(files["tests"], 10);
}

TEST(Code, HasNoCommentsAndNoLiterals) {
  EXPECT_EQ(code_of("int a; // rand()\nint b;"), "int a;          \nint b;");
  EXPECT_EQ(code_of("f(/* x\ny */ 1);"), "f(    \n     1);");
  EXPECT_EQ(code_of(R"(f("a\"b", '"', 1'000);)"), R"(f("    ", ' ', 1'000);)");
  EXPECT_EQ(code_of("g(R\"re(\")re\");"), "g(          );");
  EXPECT_EQ(code_of("#include \"base/bytes.h\""), "#include \"base/bytes.h\"");
}

TEST(Code, KeepsItsLines) {
  EXPECT_EQ(lines_of("a\nb\n").size(), 2u);
  EXPECT_EQ(line_at("a\nb\nc", 4), 3u);
}

TEST(Layers, APlantedUpwardIncludeIsFound) {
  EXPECT_EQ(count_in(layer_findings, "base/x.h", "#include \"storage/disk.h\"\n"), 1u);
  EXPECT_EQ(count_in(layer_findings, "storage/x.h", "#include \"transport/frame.h\"\n"), 1u);
  EXPECT_EQ(count_in(layer_findings, "transport/x.h", "#include \"storage/disk.h\"\n"), 1u);
  EXPECT_EQ(count_in(layer_findings, "seed/x.h", "#include \"engine/node.h\"\n"), 1u);
  EXPECT_EQ(count_in(layer_findings, "engine/x.h", "#include \"tests/pages_fixture.h\"\n"), 1u);
  EXPECT_EQ(count_in(layer_findings, "tools/x.h", "#include \"tests/pages_fixture.h\"\n"), 1u);
  EXPECT_EQ(count_in(layer_findings, "engine/x.h", "#include \"sibling.h\"\n"), 1u);
  EXPECT_EQ(count_in(layer_findings, "engine/x.h", "#include \"storage/disk.h\"\n#include <vector>\n"), 0u);
}

TEST(Layers, KnowledgeGoesDownward) { expect_clean(layer_findings); }

TEST(Seams, APlantedCallIsFound) {
  const char* const planted[] = {"auto t = std::chrono::steady_clock::now();",
                                 "auto t = std::chrono::system_clock::now();",
                                 "std::random_device d;",
                                 "int a = rand();",
                                 "std::thread t(f);",
                                 "const char* home = getenv(n);",
                                 "std::this_thread::sleep_for(1s);",
                                 "usleep(10);",
                                 "int s = ::socket(1, 2, 3);",
                                 "int d = ::open(path, 0);",
                                 "FILE* f = fopen(path, mode);",
                                 "std::ofstream out(path);",
                                 "std::filesystem::remove(path);",
                                 "std::mt19937 chance;",
                                 "asio::steady_timer timer(executor);",
                                 "::unlink(path);"};
  for (const char* line : planted) EXPECT_EQ(count_in(seam_findings, "engine/x.cc", line), 1u) << line;
  EXPECT_EQ(count_in(seam_findings, "tests/x.cc", "std::this_thread::sleep_for(1s);"), 1u);
}

TEST(Seams, WordsInCommentsAndMembersAreNotCalls) {
  const char* const fine[] = {"// rand() is banned", "log(\"::open(\");", "co_await Log::open(disk);", "strand(executor);",
                              "int time = 0;"};
  for (const char* line : fine) EXPECT_EQ(count_in(seam_findings, "engine/x.cc", line), 0u) << line;
}

TEST(Seams, OnlySeamFilesReachTheMachine) { expect_clean(seam_findings); }

TEST(Seams, TheTableNamesNoFileThatNeedsNoEntry) {
  EXPECT_FALSE(idle_seam_findings({}).empty());
  const Findings found = idle_seam_findings(tree());
  EXPECT_TRUE(found.empty()) << listed(found);
}

TEST(Order, APlantedWalkIsFound) {
  const SourceText header = source_text("engine/x.h", "std::unordered_map<int, std::pair<int, int>> copies_;\n");
  const std::vector<std::string> names = unordered_names(header);
  ASSERT_EQ(names, std::vector<std::string>{"copies_"});
  const auto walks = [&](const std::string& text) { return unordered_findings(source_text("engine/x.cc", text), names).size(); };
  EXPECT_EQ(walks("for (const auto& copy : copies_) show(copy);"), 1u);
  EXPECT_EQ(walks("auto at = copies_.begin();"), 1u);
  EXPECT_EQ(walks("for (auto& copy : copies_) sum += copy.size();  // order never shows"), 0u);
  EXPECT_EQ(walks("copies_.find(1);"), 0u);
  EXPECT_TRUE(
      unordered_names(source_text("engine/x.h", "std::unordered_set<int> seen_;  // order never shows: counted\n")).empty());
}

TEST(Order, NoWalkOverAnUnorderedContainerCanShow) {
  // A name is known in the files of one noun: newest_pages.h and newest_pages.cc.
  const auto noun = [](const std::string& path) { return path.substr(0, path.rfind('.')); };
  std::map<std::string, std::vector<std::string>> names;
  for (const SourceText& file : tree()) {
    const std::vector<std::string> here = unordered_names(file);
    names[noun(file.path)].insert(names[noun(file.path)].end(), here.begin(), here.end());
  }
  expect_clean([&](const SourceText& file) { return unordered_findings(file, names[noun(file.path)]); });
}

std::string lines(std::size_t count, const std::string& first = "// x") {
  std::string text = first + "\n";
  for (std::size_t line = 1; line < count; ++line) text += "\n";
  return text;
}

TEST(Sizes, APlantedLongFileIsFound) {
  EXPECT_EQ(count_in(size_findings, "base/x.h", lines(200)), 0u);
  EXPECT_EQ(count_in(size_findings, "base/x.h", lines(201)), 1u);
  EXPECT_EQ(count_in(size_findings, "base/x.cc", lines(400)), 0u);
  EXPECT_EQ(count_in(size_findings, "base/x.cc", lines(401)), 1u);
  EXPECT_EQ(count_in(size_findings, "tests/x_test.cc", lines(600)), 0u);
  EXPECT_EQ(count_in(size_findings, "tests/x_test.cc", lines(601)), 1u);
  EXPECT_EQ(count_in(size_findings, "base/x.cc", lines(401, "// longer because: one table")), 0u);
}

TEST(Sizes, EveryFileFitsItsRoom) { expect_clean(size_findings); }

TEST(Headers, APlantedBareHeaderIsFound) {
  EXPECT_EQ(count_in(header_findings, "base/x.h", "// X does.\n#pragma once\n"), 0u);
  EXPECT_EQ(count_in(header_findings, "base/x.h", "// X does.\n"), 1u);
  EXPECT_EQ(count_in(header_findings, "base/x.h", "\n#pragma once\n"), 1u);
  EXPECT_EQ(count_in(header_findings, "base/x.h", "// X does.\n#pragma once\nusing namespace std;\n"), 1u);
  EXPECT_EQ(count_in(header_findings, "base/x.cc", "int x;\n"), 0u);
}

TEST(Headers, BeginWithTheirPromiseAndAreReadOnce) { expect_clean(header_findings); }

TEST(Work, APlantedReminderIsFound) {
  EXPECT_EQ(count_in(unfinished_findings, "base/x.cc", "// TODO: later\n"), 1u);
  EXPECT_EQ(count_in(unfinished_findings, "base/x.cc", "f();  // FIXME\n"), 1u);
  EXPECT_EQ(count_in(unfinished_findings, "base/x.cc", "return fail(\"not implemented\");\n"), 1u);
  EXPECT_EQ(count_in(unfinished_findings, "base/x.cc", "int todo = 0;\n"), 0u);
}

TEST(Work, NothingIsLeftUndone) { expect_clean(unfinished_findings); }

TEST(Tests, APlantedTestWithoutAnAssertionIsFound) {
  EXPECT_EQ(count_in(assertion_findings, "tests/x_test.cc", "TEST(A, B) { run(); }  // EXPECT_EQ(\n"), 1u);
  EXPECT_EQ(count_in(assertion_findings, "tests/x_test.cc", "TEST(A, B) { EXPECT_EQ(run(), 1); }\n"), 0u);
  EXPECT_EQ(count_in(assertion_findings, "tests/log_cases.cc", "int a;\nTEST_F(A, B) { run(); }\n"), 1u);
  EXPECT_EQ(count_in(assertion_findings, "tests/x_fixture.cc", "int run();\n"), 0u);
}

TEST(Tests, EveryTestFileAsserts) { expect_clean(assertion_findings); }

TEST(Words, APlantedEmptyNameIsFound) {
  EXPECT_EQ(count_in(word_findings, "base/x.h", "class CopyManager {\n"), 1u);
  EXPECT_EQ(count_in(word_findings, "base/x.h", "namespace byte_utils {\n"), 1u);
  EXPECT_EQ(count_in(word_findings, "base/x.cc", "open(\"/home/me/x\");\n"), 1u);
  EXPECT_EQ(count_in(word_findings, "base/x.h", "class Copier {\n"), 0u);
}

TEST(Words, EveryNameSaysSomethingAndNoPathIsOfOneMachine) { expect_clean(word_findings); }

TEST(Stopping, APlantedCatchIsFound) {
  EXPECT_EQ(count_in(catch_findings, "engine/x.cc", "} catch (...) {\n"), 1u);
  EXPECT_EQ(count_in(catch_findings, "engine/x.cc", "} catch (const std::exception& e) {\n"), 1u);
  EXPECT_EQ(count_in(catch_findings, "engine/x.cc", "} catch (const toml::parse_error& e) {\n"), 0u);
}

TEST(Stopping, IsCaughtOnlyByItsOwners) { expect_clean(catch_findings); }

TEST(Awaiting, APlantedBraceIsFound) {
  EXPECT_EQ(count_in(await_findings, "engine/x.cc", "co_await send(Frame{1, 2});"), 1u);
  EXPECT_EQ(count_in(await_findings, "engine/x.cc", "co_await run([&] { f(); });"), 1u);
  EXPECT_EQ(count_in(await_findings, "engine/x.cc", "co_await send({name, 2});"), 1u);
  EXPECT_EQ(count_in(await_findings, "engine/x.cc", "co_await send(Position{}, std::uint64_t{0});"), 0u);
  EXPECT_EQ(count_in(await_findings, "engine/x.cc", "if (!(co_await send(frame)).ok()) { f(); }"), 0u);
  EXPECT_EQ(count_in(await_findings, "engine/x.cc", "if (co_await send(frame)) {\n"), 0u);
}

TEST(Awaiting, APlantedConditionalIsFound) {
  EXPECT_EQ(count_in(await_findings, "engine/x.cc", "x = full ? co_await all(name) : co_await some(name);"), 1u);
  EXPECT_EQ(count_in(await_findings, "engine/x.cc", "y = a ? b : c;\ncase 3: co_await some(name);"), 0u);
}

TEST(Awaiting, NoExpressionHoldsBraces) { expect_clean(await_findings); }

}  // namespace
}  // namespace ccr::tidy
