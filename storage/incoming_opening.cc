#include "storage/incoming_opening.h"

#include <algorithm>
#include <utility>

#include "storage/spare_files.h"

namespace ccr::storage {
namespace {

constexpr const char* rewritten_suffix = ".tmp";

// sync() gives several sealed generations their final names before it syncs the directory once; a crash may leave any of them here.
Task<Result<void>> promote_sealed(Disk& disk, const LogDirectory& directory) {
  const std::string folder = path_in(directory.path, incoming_folder);
  Result<std::vector<GenerationFile>> files = co_await numbered_files(disk, folder, false);
  if (!files.ok()) co_return files.error();
  for (const GenerationFile& file : *files) {
    RewritePlan plan;
    plan.directory = directory.path;
    plan.from = file.path;
    plan.temporary = file.path + rewritten_suffix;
    plan.to = sealed_path(directory.path, file.generation);
    plan.expected.signature = directory.signature;
    plan.expected.generation = file.generation;
    plan.expected.page_size = directory.page_size;
    Result<Assessment> found = co_await assess_open(disk, file.path, plan.expected);
    if (!found.ok() && found.error().kind != ErrorKind::corrupt) co_return found.error();
    if (!found.ok() || !found->scan.sealed()) continue;
    plan.blocks = found->scan.next_block();
    plan.length = found->scan.bytes();
    Result<Rewritten> rewritten = co_await rewrite_generation(disk, plan);
    if (!rewritten.ok()) co_return rewritten.error();
    CCR_CO_TRY(co_await disk.remove(file.path));
    CCR_CO_TRY(co_await disk.sync_directory(folder));
  }
  co_return Result<void>();
}

// A generation, or the copy of one on its way to replace it.
bool is_incoming_name(const std::string& name) {
  const std::string_view suffix(rewritten_suffix);
  const std::size_t stem = name.size() - std::min(name.size(), suffix.size());
  return generation_of_name(name) || (generation_of_name(name.substr(0, stem)) && name.substr(stem) == suffix);
}

// Files under incoming/ that are not the open generation: bytes that were never reported, and copies on their way.
Task<Result<void>> remove_leftovers(Disk& disk, std::string folder, std::string keep) {
  Result<std::vector<DirectoryEntry>> entries = co_await disk.list(folder);
  if (!entries.ok()) co_return entries.error();
  for (const DirectoryEntry& entry : *entries) {
    const std::string path = path_in(folder, entry.name);
    const bool ours = is_incoming_name(entry.name);
    if (ours && path != keep) CCR_CO_TRY(co_await disk.remove(path));
  }
  co_return Result<void>();
}

}  // namespace

Position end_of_incoming(const SealedSurvey& sealed, const GenerationScan& scan) {
  // A record carried into the first generation of a seeded copy began before anything that this log holds.
  const Position first = Position::start_of(sealed.files.empty() ? scan.generation() : sealed.files.front().generation);
  if (scan.begun()) return std::max(scan.position(), first);
  if (sealed.last) return std::max(sealed.last->position(), first);
  return first;
}

Task<Result<IncomingState>> open_incoming(Disk& disk, LogDirectory directory, Generation start, Position proven) {
  const std::string folder = path_in(directory.path, incoming_folder);
  CCR_CO_TRY(co_await disk.make_directories(folder));
  CCR_CO_TRY(co_await remove_spares(disk, directory.path));
  CCR_CO_TRY(co_await promote_sealed(disk, directory));
  Result<SealedSurvey> sealed = co_await survey_sealed(disk, directory);
  if (!sealed.ok()) co_return sealed.error();
  Result<std::vector<GenerationFile>> files = co_await numbered_files(disk, folder, false);
  if (!files.ok()) co_return files.error();

  RewritePlan plan;
  plan.expected = expected_behind(directory, sealed->last);
  if (!sealed->last) plan.expected.generation = files->empty() ? start : files->front().generation;
  const std::string path = incoming_path(directory.path, plan.expected.generation);
  Result<Assessment> found = co_await assess_open(disk, path, plan.expected);
  // A header that is not whole was never reported: the file is fetched again from its first byte.
  const bool begun = found.ok();
  const bool fetch_again = !begun && (found.error().kind == ErrorKind::not_found || found.error().kind == ErrorKind::corrupt);
  if (!begun && !fetch_again) co_return found.error();
  IncomingState state{std::move(*sealed), GenerationScan(plan.expected), nullptr};
  if (begun) state.scan = std::move(found->scan);
  const Position end = end_of_incoming(state.sealed, state.scan);
  if (end < proven)
    co_return Error{ErrorKind::gap, path + ": the verified log ends at " + to_text(end) + ", but " + to_text(proven) + " was durable", missing_generation_hint};

  std::string keep;
  if (begun) keep = path;
  CCR_CO_TRY(co_await remove_leftovers(disk, folder, keep));
  if (begun) {
    plan.directory = folder;
    plan.from = path;
    plan.temporary = path + rewritten_suffix;
    plan.to = path;
    plan.blocks = state.scan.next_block();
    plan.length = state.scan.header().generation_bytes;
    Result<Rewritten> rewritten = co_await rewrite_generation(disk, plan);
    if (!rewritten.ok()) co_return rewritten.error();
    state.file = std::move(rewritten->file);
    state.scan = std::move(rewritten->scan);
  }
  CCR_CO_TRY(co_await disk.sync_directory(folder));
  CCR_CO_TRY(co_await disk.sync_directory(directory.path));
  co_return std::move(state);
}

}  // namespace ccr::storage
