#include "tools/report_page.h"

#include <array>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/task.h"
#include "tools/json_fields.h"
#include "tools/report_assets.h"

namespace ccr::tools {
namespace {

using nlohmann::json;

constexpr const char* how_to = "ccr bench link --peer NODE --json > run.json makes one";

Result<json> measurement_of(const ReportInput& input) {
  json document = json::parse(input.text, nullptr, false);
  if (document.is_discarded()) return Error{ErrorKind::usage, input.name + " is no JSON", how_to};
  const std::string kind = text_field(document, "kind");
  const bool measurement = kind == "tune" || kind.starts_with("bench_") || kind.starts_with("drill_");
  if (!measurement || !field(document, "series").is_array())
    return Error{ErrorKind::usage, input.name + " is no measurement of ccr", how_to};
  if (field(document, "schema") != 1)
    return Error{ErrorKind::usage, input.name + " has schema " + field(document, "schema").dump() + ", this ccr reads 1",
                 "make the page with the ccr that measured"};
  return document;
}

// Inside a script element only `<` could end it, or open a comment.
std::string embedded(const json& document) {
  std::string text;
  for (const char c : document.dump(-1, ' ', true, json::error_handler_t::replace)) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

// The template with each %NAME% replaced, in one pass: what is put in is not looked at again.
std::string filled(std::string_view page, const std::array<std::pair<std::string_view, std::string_view>, 7>& parts) {
  std::string text;
  while (!page.empty()) {
    std::size_t first = page.size();
    const std::pair<std::string_view, std::string_view>* next = nullptr;
    for (const auto& part : parts) {
      const std::size_t at = page.find(part.first);
      if (at < first) first = at, next = &part;
    }
    text += page.substr(0, first);
    if (next == nullptr) break;
    text += next->second;
    page.remove_prefix(first + next->first.size());
  }
  return text;
}

}  // namespace

Result<std::string> report_page(const ReportInput& run, const std::optional<ReportInput>& old) {
  const Result<json> document = measurement_of(run);
  CCR_TRY(document);
  std::string older = "null";
  if (old) {
    const Result<json> before = measurement_of(*old);
    CCR_TRY(before);
    const std::string kind = text_field(*document, "kind"), kind_before = text_field(*before, "kind");
    if (kind != kind_before)
      return Error{ErrorKind::usage, run.name + " is of kind " + kind + ", " + old->name + " of " + kind_before,
                   "compare two runs of one kind"};
    older = embedded(*before);
  }
  const ReportAssets& assets = report_assets();
  const std::string data = embedded(*document);
  return filled(assets.page_html, {{{"%UPLOT_CSS%", assets.uplot_css},
                                    {"%PAGE_CSS%", assets.page_css},
                                    {"%UPLOT_LICENSE%", assets.uplot_license},
                                    {"%UPLOT_JS%", assets.uplot_js},
                                    {"%RUN%", data},
                                    {"%OLD%", older},
                                    {"%PAGE_JS%", assets.page_js}}});
}

}  // namespace ccr::tools
