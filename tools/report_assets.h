// What the page of `ccr report` is made of: the files of tools/report and of uPlot, put into the binary by the build.
#pragma once

#include <string_view>

namespace ccr::tools {

struct ReportAssets {
  std::string_view page_html, page_css, page_js, uplot_css, uplot_js, uplot_license;
};
const ReportAssets& report_assets();

}  // namespace ccr::tools
