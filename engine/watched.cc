#include "engine/watched.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "engine/status_parts.h"

namespace ccr::engine {

using nlohmann::json;

json seed_progress(const PassiveCopy& copy, State state) {
  const seed::SeedCounters counters = copy.seed_counters();
  const bool replaying = copy.state().seed.until.known();
  json eta = nullptr;
  if (counters.rate > 0 && counters.total_bytes >= counters.done_bytes && !replaying)
    eta = static_cast<double>(counters.total_bytes - counters.done_bytes) / static_cast<double>(counters.rate);
  return {{"phase", replaying ? "replay" : std::string(name_of(state))},
          {"cause", state == State::failed || state == State::disconnected ? copy.standing().cause() : ""},
          {"done_bytes", counters.done_bytes},
          {"total_bytes", counters.total_bytes},
          {"rate", counters.rate},
          {"rate_limit", rate_limit_json(copy.seed_rate_limit())},
          {"eta_seconds", eta},
          {"extents_sent", counters.counts.extents_sent},
          {"extents_equal", counters.counts.extents_equal},
          {"wire_bytes", counters.counts.wire_bytes},
          {"streams", counters.streams},
          {"logical_bytes", counters.counts.image_bytes}};
}

json verify_json(const VerifyReport& report) {
  return {{"schema", 1},
          {"equal", report.equal()},
          {"roots_equal", report.roots_equal},
          {"pages_checked", report.pages_checked},
          {"differing_pages", report.differing},
          {"differing_total", report.differing_total},
          {"repaired_pages", report.repaired},
          {"root", to_hex(report.root, 16)},
          {"position", position_json(report.position)},
          {"active",
           {{"pages_checked", report.active_pages_checked}, {"differing_pages", report.active_differing}, {"differing_total", report.active_differing_total}}},
          {"copy", {{"pages_checked", report.pages_checked}, {"differing_pages", report.differing}, {"differing_total", report.differing_total}}}};
}

Result<LoadOptions> load_options(const ControlRequest& request) {
  LoadOptions options;
  const Result<std::uint64_t> rate = request.count("rate_bytes_per_second", 0);
  const Result<double> seconds = request.number("seconds", 10);
  const Result<std::string> pattern = request.text("pattern", "oltp");
  const Result<std::uint64_t> pages = request.count("transaction_pages", 0);
  const Result<std::uint64_t> clients = request.count("clients", options.clients);
  const Result<std::uint64_t> pages_max = request.count("pages_max", options.pages_max);
  for (const Result<std::uint64_t>* number : {&rate, &pages, &clients, &pages_max})
    if (!number->ok()) return number->error();
  if (!seconds.ok()) return seconds.error();
  if (!pattern.ok()) return pattern.error();
  if (*pattern == "seq") {
    options.pattern = LoadPattern::sequential;
  } else if (*pattern == "random") {
    options.pattern = LoadPattern::random;
  } else if (*pattern != "oltp") {
    return Error{ErrorKind::usage, "no load pattern is called '" + *pattern + "'", "seq, random or oltp"};
  }
  constexpr double seconds_max = 86400;
  if (!(*seconds > 0) || *seconds > seconds_max) return Error{ErrorKind::usage, "a load runs for more than 0 s and at most a day", ""};
  if (*pages > Load::transaction_pages_max) return Error{ErrorKind::usage, "a transaction of a load has at most 4096 pages", ""};
  if (*clients < 1 || *clients > Load::clients_max) return Error{ErrorKind::usage, "a load has 1 to 256 clients", ""};
  if (*pages_max < 1 || *pages_max > (1u << 30)) return Error{ErrorKind::usage, "a load stays within 1 to 2^30 pages", ""};
  options.bytes_per_second = *rate;
  options.seconds = *seconds;
  options.transaction_pages = static_cast<std::uint32_t>(*pages);
  options.clients = static_cast<std::uint32_t>(*clients);
  options.pages_max = static_cast<PageNumber>(*pages_max);
  return options;
}

struct LoadWatch::Shared {
  Shared(const Executor& executor, ActiveCopy& active, LoadOptions options) : load(active, options), changed(executor) {}
  Load load;
  Signal changed;
  std::optional<Result<void>> outcome;
};

LoadWatch::LoadWatch(const Executor& executor, ActiveCopy& active, LoadOptions options)
    : shared_(std::make_shared<Shared>(executor, active, options)) {}
LoadWatch::~LoadWatch() = default;

namespace {

template <class Shared>
Task<Result<void>> work_on(std::shared_ptr<Shared> shared) {
  struct Ended {
    Shared& shared;
    ~Ended() {
      if (!shared.outcome) shared.outcome = Result<void>(Error{ErrorKind::stopped, "the database was dismounted", ""});
      shared.changed.notify();
    }
  } ended{*shared};
  shared->outcome = co_await shared->load.run();
  co_return Result<void>();
}

}  // namespace

Task<Result<void>> LoadWatch::work() { return work_on(shared_); }
bool LoadWatch::ended() const noexcept { return shared_->outcome.has_value(); }
void LoadWatch::leave() noexcept { shared_->load.end_now(); }

Task<void> LoadWatch::wait(Clock& clock, Duration at_most) {
  constexpr Duration turn = std::chrono::milliseconds(20);
  const Instant end = clock.now() + at_most;
  while (!ended() && clock.now() < end) co_await clock.sleep(turn);
}

json LoadWatch::progress() const {
  const LoadReport& report = shared_->load.report();
  return {{"commits", report.commits}, {"bytes", report.bytes}, {"seconds", shared_->load.seconds()}};
}

Result<json> LoadWatch::result() const {
  CCR_ASSERT(ended());
  if (!shared_->outcome->ok()) return shared_->outcome->error();
  const LoadReport& report = shared_->load.report();
  return json{{"schema", 1},
              {"commits", report.commits},
              {"bytes", report.bytes},
              {"seconds", report.seconds},
              {"latency_us",
               {{"p50", report.latency.percentile(0.5)}, {"p99", report.latency.percentile(0.99)}, {"p999", report.latency.percentile(0.999)}}}};
}

}  // namespace ccr::engine
