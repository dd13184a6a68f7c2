// The drill of a fork: an outage, commits on the active node that the other one never gets, an activation by force there, and the way back.
//
// What it loses is what its own load wrote, and no more: the load writes among pages that are there, nobody else may write meanwhile, and the content
// behind the drill is the one before the load. Where somebody else did write, nothing is given up and a person decides (tools/drill_return.h).
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "storage/page_digests.h"
#include "tools/json_fields.h"
#include "tools/pair_drill.h"
#include "tools/seed_overview.h"

namespace ccr::tools {

using nlohmann::json;

namespace {

constexpr double outage_grace_seconds = 60;  // the outage ends by itself so much later than the load
constexpr double load_seconds_max = 120;

}  // namespace

Result<void> PairDrill::add_fork_gates() {
  const std::size_t copies = config_.databases.find(facts_.database)->second.copies.size();
  constexpr std::size_t two = 2;
  gate("there is no third copy, that would fork too", fmt::format("{} copies", copies), copies == two);
  gate("the load is a short one", fmt::format("{:.0f} s", options_.seconds), options_.seconds <= load_seconds_max);
  if (peer_socket_.empty()) return {};
  gate("it has pages to write upon", fmt::format("{} pages", page_count_), page_count_ > 0);
  constexpr double watch_seconds = 1;
  const std::optional<CommitNumber> before = pair().commit_most;
  CCR_TRY(for_seconds(watch_seconds));
  const std::uint64_t commits = pair().commit_most.value_or(0) - before.value_or(0);
  gate("nobody else writes", fmt::format("{} commits in {:.0f} s", commits, watch_seconds), commits == 0);
  return {};
}

Result<void> PairDrill::fork() {
  pair().fork = DrillFork{};
  const Result<json> parted =
      ask_own({{"command", "drill"}, {"step", "part"}, {"node", facts_.node}, {"peer", facts_.active}, {"seconds", options_.seconds + outage_grace_seconds}});
  if (!parted) return parted.error();
  parted_ = true;
  pair().fault_began = now();
  CCR_TRY(write_alone());
  CCR_TRY(activate_by_force());
  phase_ = "contact again, and back";
  const double began = now();
  pair().fault_ended = began;
  const Result<json> home = bring_home(options_.longest);
  if (!home) return home.error();
  parted_ = moved_ = false;
  DrillTurn turn;
  turn.to = facts_.active;
  turn.held_seconds = number_field(*home, "held_seconds");
  turn.seconds = moved_at_.value_or(now()) - began;
  pair().turns.push_back(turn);
  pair().healthy_seconds = now() - began;
  pair().commit_most = pair().before->commit;  // what the load wrote beyond it is given up
  return settle();
}

Result<void> PairDrill::write_alone() {
  phase_ = "commits on " + facts_.active + " alone";
  DrillFork& fork = *pair().fork;
  const Result<PairLook> before = look();
  if (!before) return before.error();
  const auto tip = [this]() -> Result<Position> {
    const Result<json> status = ask_peer({{"command", "status"}});
    if (!status) return status.error();
    return look_position(field(copy_in(*status, facts_.database, facts_.active), "durable"));
  };
  const Result<Position> from = tip();
  if (!from) return from.error();
  fork.from = *from;
  const Result<json> written = ask_looking(peer_socket_, {{"command", "load"}, {"database", facts_.database}, {"rate_bytes_per_second", options_.load_bytes_per_second},
                                                          {"seconds", options_.seconds}, {"pattern", "oltp"}, {"pages_max", load_pages()}, {"clients", 4}});
  if (!written) return written.error().within("ccr load");
  fork.load_commits = count_field(*written, "commits").value_or(0);
  facts_.writer = "ccr load";
  const Result<Position> end = tip();
  if (!end) return end.error();
  fork.end = forked_end_ = *end;
  const std::uint64_t whole = load_pages() * page_size_;
  fork.page_bytes_max = (whole / storage::extent_bytes + 2) * storage::extent_bytes;
  const Result<PairLook> after = look();
  if (!after) return after.error();
  pair().commits_meanwhile = after->commit.value_or(0) - std::min(after->commit.value_or(0), before->commit.value_or(0));
  if (pair().commits_meanwhile != fork.load_commits)
    return Error{ErrorKind::refused, fmt::format("somebody else wrote: {} commits, and the load made {}", pair().commits_meanwhile, fork.load_commits), "nothing was given up; end the other writer first"};
  return {};
}

Result<void> PairDrill::activate_by_force() {
  phase_ = "activate on " + facts_.node;
  const double began = now();
  moved_ = true;
  CCR_TRY(guard_->keep(way_home()));
  const Result<json> taken = ask_looking(config_.control_socket, {{"command", "activate"}, {"database", facts_.database}, {"on", facts_.node}, {"dial", "force"}});
  if (!taken) return taken.error();
  DrillTurn turn;
  turn.to = facts_.node;
  turn.seconds = now() - began;
  pair().turns.push_back(turn);
  return {};
}

void PairDrill::note_fork() {
  if (!pair().fork || peer_socket_.empty()) return;
  const Result<json> status = ask_peer({{"command", "status"}});
  if (!status) return;
  const json& copy = copy_in(*status, facts_.database, facts_.active);
  const json &aside = field(copy, "quarantine"), &seed = field(copy, "seed");
  pair().fork->quarantine_files = count_field(aside, "files");
  pair().fork->quarantine_bytes = count_field(aside, "bytes");
  pair().fork->page_bytes = count_field(seed, "logical_bytes");
  pair().fork->wire_bytes = count_field(seed, "wire_bytes");
}

}  // namespace ccr::tools
