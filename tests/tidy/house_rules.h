// The rules of the house that no compiler knows, each a pure function from one file to its findings (STYLE in ARCHITECTURE.md).
//
// They are heuristics over text: a finding is worth a look, and a file that must break a rule says why in the place the rule names.
// Threads: none. Bounds: linear in the file's size.
#pragma once

#include "tests/tidy/source_text.h"

namespace ccr::tidy {

constexpr std::size_t header_lines_max = 200;  // one sitting
constexpr std::size_t source_lines_max = 400;
constexpr std::size_t test_lines_max = 600;   // samples are long, and read one at a time
constexpr std::size_t reason_lines_max = 10;  // `// longer because:` stands in the first lines

// Knowledge goes downward: the folder of each include line is one the file's own folder may know.
Findings layer_findings(const SourceText& file);

// Time, chance, threads, the environment and the operating system are reached from seam files only.
Findings seam_findings(const SourceText& file);

// Entries of the table of seams that name a file which is gone or no longer needs its entry.
Findings idle_seam_findings(const std::vector<SourceText>& tree);

// The names of unordered containers that a file declares, and the loops over one of `names`; both without what is said to be
// harmless: `order never shows`.
std::vector<std::string> unordered_names(const SourceText& file);
Findings unordered_findings(const SourceText& file, const std::vector<std::string>& names);

Findings size_findings(const SourceText& file);
Findings header_findings(const SourceText& file);      // an essay first, #pragma once, no using namespace
Findings unfinished_findings(const SourceText& file);  // words of work left undone
Findings assertion_findings(const SourceText& file);   // a test file asserts something
Findings word_findings(const SourceText& file);        // names that say nothing, paths of somebody's machine
Findings catch_findings(const SourceText& file);       // stopping unwinds through everything but its owners
Findings await_findings(const SourceText& file);       // braces inside a co_await expression: GCC 12 frees them twice

}  // namespace ccr::tidy
