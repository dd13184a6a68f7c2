#include "engine/scrub_commands.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "engine/status_parts.h"

namespace ccr::engine {

using nlohmann::json;

namespace {

json progress_json(const Scrub& scrub) {
  const std::uint64_t page_size = scrub.page_size();
  const PageNumber next = scrub.progress().next_page;
  return {{"phase", "scrub"},
          {"cause", scrub.waiting()},
          {"done_bytes", next > 0 ? (next - 1) * page_size : 0},
          {"total_bytes", scrub.page_count() * page_size},
          {"rate_limit", rate_limit_json(scrub.bytes_per_second())}};
}

}  // namespace

Error ScrubCommands::resting(const Hosted& hosted) const {
  const bool failed = !hosted.is_active_here && hosted.passive->state().failed;
  const std::string subject = subject_of(hosted.config, node_.config().node);
  const std::string& cause = hosted.standing->cause();
  return {failed ? ErrorKind::corrupt : ErrorKind::busy,
          subject + " is " + std::string(name_of(hosted.standing->state())) + (cause.empty() ? "" : ": " + cause),
          hosted.standing->hint().empty() ? "its pages rest; ccr status " + hosted.config.name : hosted.standing->hint()};
}

Task<Result<json>> ScrubCommands::scrub(Hosted& hosted, const ControlRequest& request, ControlReply& reply) {
  const std::string& self = node_.config().node;
  if (!request.node().empty() && request.node() != self) {
    co_return Error{ErrorKind::unreachable, "this is node " + self + "; the copy on " + request.node() + " is scrubbed there",
                    "run it on " + request.node() + ", or with --node " + request.node() + " where both run on one host"};
  }
  Scrub& scrub = *hosted.scrub;
  const Result<std::uint64_t> rate = request.count("rate", scrub.bytes_per_second());
  const Result<bool> cancel = request.flag("cancel");
  if (!rate.ok()) co_return rate.error();
  if (!cancel.ok()) co_return cancel.error();
  if (*cancel) {
    const bool asked = scrub.asked();
    scrub.relax();
    co_return json{{"schema", 1}, {"cancelled", asked}};
  }
  if (!scrub.running()) co_return resting(hosted);
  const std::uint64_t number = scrub.begin(*rate);
  CCR_CO_TRY(co_await watch(hosted, number, reply));
  const ScrubPass& pass = scrub.last_pass();
  co_return json{{"schema", 1},
                 {"pages_checked", pass.pages},
                 {"rotten_pages", pass.rotten},
                 {"repaired_pages", pass.repaired},
                 {"lost_pages", pass.lost}};
}

Task<Result<void>> ScrubCommands::watch(Hosted& hosted, std::uint64_t number, ControlReply& reply) {
  constexpr Duration look_again = std::chrono::milliseconds(50), progress_interval = std::chrono::milliseconds(500);
  const Scrub& scrub = *hosted.scrub;
  Instant told = context_.clock.now();
  while (scrub.last_pass().number < number) {
    if (!scrub.running()) co_return resting(hosted);
    if (!scrub.asked()) {
      co_return Error{ErrorKind::refused, "the scrub of " + subject_of(hosted.config, node_.config().node) + " was cancelled",
                      "it goes on at its own pace; ccr scrub begins a new pass"};
    }
    if (context_.clock.now() - told >= progress_interval) {
      CCR_CO_TRY(co_await reply.progress(progress_json(scrub)));
      told = context_.clock.now();
    }
    co_await context_.clock.sleep(look_again);
  }
  co_return Result<void>();
}

}  // namespace ccr::engine
