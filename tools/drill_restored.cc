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
  const Result<json> where = ask_own({{"command", "drill"}, {"step", "put-away"}});  // of a drill that was killed
  CCR_TRY(where);
  facts_.restored->directory = text_field(*where, "directory");
  const Result<json> backup = ask_own({{"command", "backup"}, {"to", facts_.restored->directory}, {"copy_only", true}}, true);
  Result<void> played = backup ? Result<void>() : backup.error();
  if (backup) facts_.restored->backup_commit = count_field(*backup, "commit").value_or(0);
  if (played.ok()) played = write_behind();
  if (played.ok()) played = put_older_back();
  put_away();
  CCR_TRY(played);
  CCR_TRY(wait_healthy());
  const Result<bool> equal = verified();
  CCR_TRY(equal);
  facts_.restored->equal_after = *equal;
  return {};
}

Result<void> DrillRun::write_behind() {
  CCR_TRY(begin_load());
  const double began = now();
  while (now() - began < options_.written_seconds) {
    if (!pause(std::chrono::milliseconds(100))) return Error{ErrorKind::stopped, "interrupted", ""};
    if (!load_) continue;
    const Result<bool> writes = load_->goes_on();
    if (!writes) return writes.error().within("commits behind the backup");
  }
  return settle();
}

// Once the older file is in its place the copy is brought back in any case: by a seed, which makes whatever lies there equal.
Result<void> DrillRun::put_older_back() {
  if (!pause(Duration::zero())) return Error{ErrorKind::stopped, "interrupted", ""};
  const int interrupt = std::exchange(interrupt_, -1);
  const Result<json> suspended = ask_own({{"command", "suspend"}, {"comment", "ccr drill restored-backup"}, {"by", "ccr drill"}});
  const Result<DrillLook> rests = look();
  if (rests) facts_.restored->commit = rests->commit;
  const Result<json> put_back = suspended ? ask_own({{"command", "drill"}, {"step", "put-back"}}) : suspended.error();
  const Result<json> resumed = ask_own({{"command", "resume"}});  // what was not put back is nothing to refuse
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
  // Where one of these fails, what stays is in the way of nothing: the next drill removes it.
  static_cast<void>(ask_own({{"command", "backup"}, {"to", facts_.restored->directory}, {"cancel", true}}));
  static_cast<void>(ask_own({{"command", "drill"}, {"step", "put-away"}}));
  std::error_code ignored;
  std::filesystem::remove(facts_.restored->directory, ignored);
}

}  // namespace ccr::tools
