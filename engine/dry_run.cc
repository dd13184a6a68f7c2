#include "engine/dry_run.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/role.h"
#include "storage/file_replacement.h"

namespace ccr::engine {
namespace {

using nlohmann::json;

json blank_answer() {
  return {{"schema", 1}, {"dry_run", true}, {"allowed", true}, {"checks", json::array()}, {"plan", json::array()}};
}

void add_state(json& answer, const Hosted& hosted) {
  const CopyStanding& standing = *hosted.standing;
  const std::string cause = standing.cause().empty() ? "" : ", " + standing.cause();
  add_check(answer, "its state is known", true, std::string(title_of(standing.state())) + cause);
}

void add_contact(json& answer, const Hosted& hosted) {
  const PassiveCopy& passive = *hosted.passive;
  const std::string& cause = hosted.standing->cause();
  add_check(answer, "contact with " + passive.active_node(), passive.connected(),
            passive.connected() ? "connected"
            : cause.empty()     ? "not connected"
                                : "not connected: " + cause);
}

Task<std::uint64_t> size_of_file(storage::Disk& disk, std::string path) {
  Result<std::unique_ptr<storage::File>> file = co_await disk.open(path, storage::OpenMode::read);
  if (!file.ok()) co_return 0;
  const Result<std::uint64_t> size = co_await (*file)->size();
  co_return size.ok() ? *size : 0;
}

std::string mebibytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / static_cast<double>(MiB));
}

// `needed`: nullopt where it is not known.
Task<void> add_space(json& answer, storage::Disk& disk, std::string directory, std::optional<std::uint64_t> needed) {
  const std::string check = "space in " + directory;
  const Result<storage::DiskSpace> space = co_await disk.space(directory);
  if (!space.ok()) {
    add_check(answer, check, false, space.error().message);
    co_return;
  }
  const std::string free = mebibytes(space->free_bytes) + " free, ";
  if (needed) {
    add_check(answer, check, space->free_bytes >= *needed, free + mebibytes(*needed) + " needed");
  } else {
    add_check(answer, check, true, free + "how much is needed is not known");
  }
}

// Of the page file, beyond what it holds now.
Task<std::optional<std::uint64_t>> growth_of_seed(NodeContext& context, const Hosted& hosted, std::string page_file) {
  const PassiveCopy& passive = *hosted.passive;
  const std::uint32_t page_size = passive.state().page_size;
  const std::optional<transport::Tip> tip = passive.tip();
  if (!tip || page_size == 0) co_return std::nullopt;
  const std::uint64_t whole = std::uint64_t(tip->page_count) * page_size;
  const std::uint64_t here = co_await size_of_file(context.disk, std::move(page_file));
  co_return whole > here ? whole - here : 0;
}

}  // namespace

void add_check(json& answer, std::string check, bool ok, std::string found) {
  answer["checks"].push_back({{"check", std::move(check)}, {"ok", ok}, {"found", std::move(found)}});
  answer["allowed"] = answer["allowed"].get<bool>() && ok;
}

Task<Result<SeedForecast>> forecast_of_seed(const NodeContext& context, const Hosted& hosted, SeedRequest wanted, std::optional<double> link) {
  PassiveCopy& passive = *hosted.passive;
  const Result<std::uint64_t> carried = co_await passive.foreign_bytes();  // by hand, it may be
  if (!carried.ok()) co_return carried.error();
  const Result<bool> doubtful = co_await passive.table_is_doubtful();
  if (!doubtful.ok()) co_return doubtful.error();
  const storage::CopyState& state = passive.state();
  const SeedPace& pace = passive.seed_pace();
  const std::optional<transport::Tip> tip = passive.tip();
  const std::uint32_t page_size = pace.page_size > 0 ? pace.page_size : state.page_size;
  ForecastFacts facts;
  facts.whole = wanted.full || (state.page_size == 0 && *carried == 0);
  facts.reads_disk = wanted.reread || *doubtful;
  if (tip && page_size > 0) facts.database_bytes = std::uint64_t(tip->page_count) * page_size;
  const bool proven = state.seeded && state.root_equal_at.known();
  if (proven && page_size > 0) facts.differing_bytes = state.damaged_pages * page_size;
  if (pace.bytes_per_second > 0) facts.last_seed = pace.bytes_per_second;
  facts.link = link;
  for (const std::uint64_t limit : {wanted.bytes_per_second_max, context.config.transport.seed_bytes_per_second}) {
    if (limit > 0 && (facts.rate_limit == 0 || limit < facts.rate_limit)) facts.rate_limit = limit;
  }
  co_return forecast_of(facts);
}

Task<json> plan_of_seed(NodeContext& context, const Hosted& hosted, SeedRequest wanted, SeedForecast forecast) {
  const PassiveCopy& passive = *hosted.passive;
  const std::string source = wanted.from.empty() ? passive.active_node() : wanted.from;
  json answer = blank_answer();
  add_state(answer, hosted);
  add_contact(answer, hosted);
  const std::string page_file = paths_of(context.config, hosted.config, false).page_file;
  const std::optional<std::uint64_t> needed = co_await growth_of_seed(context, hosted, page_file);
  co_await add_space(answer, context.disk, storage::directory_of(page_file), needed);
  const Result<std::uint64_t> foreign = co_await hosted.passive->foreign_bytes();
  if (foreign.ok() && *foreign > 0) {
    add_check(answer, "file " + page_file, wanted.over_foreign,
              std::to_string(*foreign) + " bytes that this node knows nothing of would be overwritten" + (wanted.over_foreign ? "" : " (--yes)"));
  }
  if (passive.opened() && may_be_alone(passive.state()))
    add_check(answer, "commits that it alone may have", wanted.over_foreign, std::string("they would be set aside") + (wanted.over_foreign ? "" : " (--yes)"));
  const bool running = passive.seeding();
  answer["running"] = running;
  if (running) {
    answer["plan"] = json::array({"attach to the seed that runs"});
    co_return answer;
  }
  answer["plan"] = json::array(
      {wanted.full ? "fetch every extent from " + source : "compare extent digests with " + source + " and fetch what differs",
       "replay the log from the pinned position", "compare roots"});
  answer["forecast"] = forecast_json(forecast);
  if (wanted.manual_resume) answer["plan"].push_back("leave the copy suspended");
  co_return answer;
}

json plan_of_suspend(const Hosted& hosted) {
  json answer = blank_answer();
  add_state(answer, hosted);
  if (hosted.passive->state().suspended) {
    answer["plan"] = json::array({"it is suspended already: only the comment is replaced"});
  } else {
    answer["plan"] = json::array({"finish the running batch of replay at a commit boundary",
                                  "stop copying and replay; log from here on stays pinned on " + hosted.passive->active_node()});
  }
  return answer;
}

json plan_of_resume(const Hosted& hosted) {
  const storage::CopyState& state = hosted.passive->state();
  const std::string& source = hosted.passive->active_node();
  json answer = blank_answer();
  add_state(answer, hosted);
  add_contact(answer, hosted);
  if (!state.suspended && !state.failed) {
    answer["plan"] = json::array({"nothing: it is neither suspended nor failed"});
  } else if (!state.seed.source.empty() && !state.seed.until.known()) {
    answer["plan"] =
        json::array({"go on with the seed from " + source, "replay the log from the pinned position", "compare roots"});
  } else if (!state.seeded && state.seed.source.empty()) {
    answer["plan"] = json::array({"wait for a seed: its pages are nothing yet"});
  } else if (hosted.passive->beyond_active()) {
    answer["plan"] = json::array({"set aside the log that " + source + " has not", "compare pages with " + source + " and fetch what differs", "ship and replay what is missing"});
  } else {
    answer["plan"] = json::array({"compare histories with " + source, "ship and replay what is missing"});
  }
  return answer;
}

Task<json> plan_of_load(NodeContext& context, const Hosted& hosted, LoadOptions options) {
  json answer = blank_answer();
  add_state(answer, hosted);
  std::optional<std::uint64_t> needed;
  if (options.bytes_per_second > 0)
    needed = static_cast<std::uint64_t>(static_cast<double>(options.bytes_per_second) * options.seconds);
  const std::string log = paths_of(context.config, hosted.config, true).log_directory;
  co_await add_space(answer, context.disk, log, needed);
  const double rate = static_cast<double>(options.bytes_per_second);
  const std::string pace = rate == 0    ? "as fast as they go"
                           : rate < 1e6 ? fmt::format("at {} B/s", rate)
                                        : fmt::format("at {:.1f} MB/s", rate / 1e6);
  answer["plan"] = json::array({fmt::format("write transactions into {} {} for {} s", hosted.config.name, pace, options.seconds),
                                "what they overwrite is lost"});
  co_return answer;
}

}  // namespace ccr::engine
