// ccr report.
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/bytes.h"
#include "base/task.h"
#include "tools/commands.h"
#include "tools/report_page.h"

namespace ccr::tools {

namespace {

constexpr std::size_t run_bytes_max = 64 * MiB;

Result<ReportInput> read_run(const std::string& name) {
  std::ifstream in(name, std::ios::binary);
  if (!in)
    return Error{ErrorKind::not_found, name + ": " + std::strerror(errno),
                 "ccr bench link --peer NODE --json > " + name + " makes one"};
  ReportInput input{name, ""};
  std::array<char, 64 * KiB> piece{};
  while (in.read(piece.data(), piece.size()), in.gcount() > 0) {
    input.text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (input.text.size() > run_bytes_max)
      return Error{ErrorKind::usage, name + " is larger than 64 MiB, as no measurement is", ""};
  }
  return input;
}

Result<void> make_page(const ReportOptions& options) {
  const Result<ReportInput> run = read_run(options.run);
  CCR_TRY(run);
  std::optional<ReportInput> old;
  if (!options.old.empty()) {
    const Result<ReportInput> older = read_run(options.old);
    CCR_TRY(older);
    old = *older;
  }
  const Result<std::string> page = report_page(*run, old);
  CCR_TRY(page);
  return write_page(*page, options.html);
}

}  // namespace

Result<void> write_page(const std::string& page, const std::string& file) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << page;
  out.close();
  if (!out) return Error{ErrorKind::io, file + ": " + std::strerror(errno), ""};
  return {};
}

ExitCode run_report(const ReportOptions& options) {
  const Result<void> made = make_page(options);
  if (!made.ok()) return report(made.error());
  note("ccr: " + options.html + " is a page of its own: open it in any browser");
  return ExitCode::done;
}

}  // namespace ccr::tools
