// Changes of the configuration file as a person would type them: a table or a copy comes or goes, everything else stays as it is to the byte. Pure.
//
// The text is one that parse_config() takes; whether it takes what comes out, the caller asks. Comments stay, but for those directly above a table
// that goes, and those of a copy that goes, in a list of several lines. `config`: where the place is written in another form than
// [databases.NAME] and copies = [...], with the place in the file as the hint's reason: such a file is for a person to edit.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ccr::tools {

struct NewDatabase {
  std::string name, kind, path, logs;
  std::vector<std::string> copies;
};

Result<std::string> with_database(const std::string& text, const NewDatabase& database);  // behind the last database
Result<std::string> with_copy(const std::string& text, const std::string& database, const std::string& node);
Result<std::string> without_database(const std::string& text, const std::string& database);
Result<std::string> without_copy(const std::string& text, const std::string& database, const std::string& node);  // and without its lags

// The lines that differ, "- " before those that go and "+ " before those that come.
std::vector<std::string> changed_lines(const std::string& before, const std::string& after);

}  // namespace ccr::tools
