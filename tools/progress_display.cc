#include "tools/progress_display.h"

#include "tools/progress_bar.h"

namespace ccr::tools {

void ProgressDisplay::show(const nlohmann::json& fields, Instant now) {
  const bool terminal = columns_ != 0;
  if (!begun_) {
    begun_ = true;
    last_ = terminal ? Instant{now.nanoseconds - bar_interval.count()} : now;  // short work says nothing in a log
  }
  if (now - last_ < (terminal ? bar_interval : line_interval)) return;
  last_ = now;
  const Progress progress = progress_of(fields);
  if (terminal) {
    std::fprintf(out_, "\r%s\x1b[K", progress_bar(progress, columns_ - 1).c_str());  // the last column would wrap
    drawn_ = true;
  } else {
    std::fprintf(out_, "%s\n", progress_line(progress).c_str());
  }
  std::fflush(out_);
}

void ProgressDisplay::finish() {
  if (!drawn_) return;
  std::fprintf(out_, "\r\x1b[K");
  std::fflush(out_);
  drawn_ = false;
}

}  // namespace ccr::tools
