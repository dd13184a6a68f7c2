#include "engine/point_in_time.h"

#include "base/wall_time.h"
#include "engine/activation.h"

namespace ccr::engine {
namespace {

constexpr const char* look_elsewhere = "a backup that is older, or a copy with a longer replay_lag, may have it";

std::string last_commit_text(const PointInTimeFacts& facts) { return facts.pages ? ", to " + commit_text(*facts.pages) : std::string(); }

}  // namespace

std::string commit_text(const storage::RecordHeader& record) { return "commit " + std::to_string(record.number) + " of " + to_rfc3339_exact(record.wall); }

Result<void> judge_point_in_time(const PointInTimeFacts& facts) {
  const std::string until = to_rfc3339_exact(facts.until);
  if (facts.until > facts.now) return refused(until + " is in the future: it is " + to_rfc3339(facts.now) + " here", "name a time that is over");
  if (facts.all_replayed && !facts.delayed) {
    return refused(facts.copy + " has no replay_lag, and has replayed all that it received" + last_commit_text(facts) + ": nothing is left to stop before",
                   "a delayed copy (replay_lag) holds log back for this; " + std::string(look_elsewhere));
  }
  if (facts.pages && facts.pages->wall > facts.until) {
    return refused("the pages of " + facts.copy + " hold " + commit_text(*facts.pages) + " already, which is later than " + until,
                   "the earliest that can still be reached is --until " + to_rfc3339_exact(facts.pages->wall) + "; " + look_elsewhere);
  }
  const std::optional<storage::RecordHeader>& next = facts.cut.next;
  const bool at_pages = !facts.pages && !facts.cut.kept;
  if (at_pages && next && !facts.cut.marker) {
    return refused("of when the pages of " + facts.copy + " are is not known here, and " + commit_text(*next) + ", the first behind them, is later than " + until,
                   "the earliest that can be reached for sure is --until " + to_rfc3339_exact(next->wall) + "; " + look_elsewhere);
  }
  if (facts.cut.marker) {
    const std::string before = facts.cut.kept ? "; the latest before it is --until " + to_rfc3339_exact(facts.cut.kept->wall) : std::string();
    return refused(commit_text(*next) + " is a base marker, behind which the log alone does not lead to the content", "wait until the copy took the difference" + before);
  }
  return {};
}

std::uint64_t PointInTime::commits() const noexcept {
  const CommitNumber kept = cut.kept ? cut.kept->number : cut.next ? cut.next->number - 1 : 0;
  return last && (cut.kept || cut.next) && last->number > kept ? last->number - kept : 0;
}

std::uint64_t PointInTime::generations() const noexcept { return generations_between(cut.at, end); }

}  // namespace ccr::engine
