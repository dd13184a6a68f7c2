// The drill restored-backup: what a person does who puts a backup in the place of a passive copy's file, and what ccr must say and do then.
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/drill_run.h"
#include "tools/json_fields.h"

namespace ccr::tools {

using nlohmann::json;

// The active copy's file is never touched: to lose what was committed since is nothing to rehearse on a database that is used.
Result<void> DrillRun::restore_backup() {
  facts_.restored = DrillRestored{};
  const Result<json> where = ask({{"command", "drill"}, {"step", "put-away"}, {"database", facts_.database}, {"node", facts_.node}});  // of a drill that was killed
  CCR_TRY(where);
  facts_.restored->directory = text_field(*where, "directory");
  const json request{{"command", "backup"}, {"database", facts_.database}, {"node", facts_.node}, {"to", facts_.restored->directory}, {"copy_only", true}};
  const Result<json> backup = ask(request, true);
  Result<void> played = backup ? Result<void>() : backup.error();
  if (backup) facts_.restored->backup_commit = count_field(*backup, "commit").value_or(0);
  if (played.ok()) played = write_behind("commits behind the backup");
  if (played.ok()) played = put_older_back();
  put_away();
  CCR_TRY(played);
  CCR_TRY(wait_healthy());
  const Result<bool> equal = verified();
  CCR_TRY(equal);
  facts_.restored->equal_after = *equal;
  return {};
}

Result<void> DrillRun::write_behind(const std::string& what) {
  CCR_TRY(begin_load());
  const double began = now();
  while (now() - began < options_.written_seconds) {
    if (!pause(std::chrono::milliseconds(100))) return Error{ErrorKind::stopped, "interrupted", ""};
    if (!load_) continue;
    const Result<bool> writes = load_->goes_on();
    if (!writes) return writes.error().within(what);
  }
  return settle();
}

// Once the older file is in its place the copy is brought back in any case: by a seed, which makes whatever lies there equal.
Result<void> DrillRun::put_older_back() {
  if (!pause(Duration::zero())) return Error{ErrorKind::stopped, "interrupted", ""};
  const int interrupt = std::exchange(interrupt_, -1);
  const json copy{{"database", facts_.database}, {"node", facts_.node}};
  const auto step = [this, &copy](json request) {
    request.update(copy);
    return ask(request);
  };
  const Result<json> suspended = step({{"command", "suspend"}, {"comment", "ccr drill restored-backup"}, {"by", "ccr drill"}});
  const Result<DrillLook> rests = look();
  if (rests) facts_.restored->commit = rests->commit;
  const Result<json> put_back = suspended ? step({{"command", "drill"}, {"step", "put-back"}}) : suspended.error();
  const Result<json> resumed = step({{"command", "resume"}});  // what was not put back is nothing to refuse
  Result<void> repaired;
  if (put_back) {
    const bool judged = resumed.ok() || resumed.error().kind == ErrorKind::corrupt;  // else it says nothing of the file
    if (judged) facts_.restored->taken = resumed.ok();
    if (!resumed) facts_.restored->refusal = resumed.error().message;
    repaired = start_seed(false);
  }
  interrupt_ = interrupt;
  if (!put_back) return put_back.error();
  return repaired;
}

void DrillRun::put_away() {
  const json request{{"database", facts_.database}, {"node", facts_.node}};
  for (json step : {json{{"command", "backup"}, {"to", facts_.restored->directory}, {"cancel", true}}, json{{"command", "drill"}, {"step", "put-away"}}}) {
    step.update(request);
    const Result<json> done = ask(step);
    if (!done) display_.finish();  // it is in the way of nothing: the next drill removes it
  }
  std::error_code ignored;
  std::filesystem::remove(facts_.restored->directory, ignored);
}

}  // namespace ccr::tools
