#include "engine/file_place.h"

#include <algorithm>

#include "storage/file_replacement.h"

namespace ccr::engine {
namespace {

std::string name_in(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// All files of its directory, itself too.
Task<Result<std::vector<storage::DirectoryEntry>>> files_beside(storage::Disk& disk, std::string path) {
  Result<std::vector<storage::DirectoryEntry>> entries = co_await disk.list(storage::directory_of(path));
  if (entries.ok()) std::erase_if(*entries, [](const storage::DirectoryEntry& entry) { return entry.directory; });
  co_return entries;
}

// Of a database of that name: what SQLite would read into it.
bool is_log_of(const std::string& name, const storage::DirectoryEntry& entry) { return entry.name == name + "-wal" || entry.name == name + "-journal"; }

}  // namespace

Task<Result<storage::FileFacts>> facts_at(storage::Disk& disk, std::string path) {
  const Result<std::vector<storage::DirectoryEntry>> files = co_await files_beside(disk, path);
  if (!files.ok()) co_return files.error();
  for (const storage::DirectoryEntry& entry : *files)
    if (entry.name == name_in(path)) co_return entry.facts;
  co_return storage::FileFacts{};
}

Task<Result<void>> check_beside(storage::Disk& disk, std::string subject, std::string path) {
  const std::string name = name_in(path);
  const Result<std::vector<storage::DirectoryEntry>> files = co_await files_beside(disk, path);
  if (!files.ok()) co_return files.error();
  for (const storage::DirectoryEntry& entry : *files) {
    if (!is_log_of(name, entry) || entry.facts.bytes == 0) continue;
    co_return Error{ErrorKind::corrupt,
                    subject + ": a program opened " + path + " for writing and left " + entry.name + " beside it (" +
                        std::to_string(entry.facts.bytes) + " bytes)",
                    "end that program and move " + entry.name + " away: whoever opens the copy next would read it as part of the copy"};
  }
  co_return Result<void>();
}

Task<Result<void>> move_file(storage::Disk& disk, std::string from, std::string to) {
  const Result<storage::FileFacts> there = co_await facts_at(disk, from);
  if (!there.ok()) co_return there.error();
  if (there->known()) CCR_CO_TRY(co_await disk.rename(from, to));
  co_return co_await disk.sync_directory(storage::directory_of(to));
}

Task<Result<std::vector<std::string>>> set_aside_beside(storage::Disk& disk, std::string path, Epoch epoch) {
  std::vector<std::string> aside;
  const std::string name = name_in(path), directory = storage::directory_of(path);
  const Result<std::vector<storage::DirectoryEntry>> files = co_await files_beside(disk, path);
  if (!files.ok()) co_return files.error();
  const auto taken = [&files](const std::string& wanted) {
    return std::any_of(files->begin(), files->end(), [&wanted](const storage::DirectoryEntry& entry) { return entry.name == wanted; });
  };
  for (const storage::DirectoryEntry& entry : *files) {
    const bool log = is_log_of(name, entry);
    const std::string found = directory + "/" + entry.name;
    if (entry.name == name + "-shm" || (log && entry.facts.bytes == 0)) CCR_CO_TRY(co_await disk.remove(found));
    if (!log || entry.facts.bytes == 0) continue;
    const std::string base = entry.name + ".before-epoch-" + std::to_string(epoch);
    std::string other = base;
    for (int n = 2; taken(other); ++n) other = base + "." + std::to_string(n);
    const std::string kept = directory + "/" + other;
    CCR_CO_TRY(co_await disk.rename(found, kept));
    aside.push_back(kept);
  }
  CCR_CO_TRY(co_await disk.sync_directory(directory));
  co_return aside;
}

Task<Result<void>> remove_beside(storage::Disk& disk, std::string path) {
  for (const char* suffix : {"-wal", "-shm"}) {
    const std::string file = path + suffix;
    const Result<void> removed = co_await disk.remove(file);
    if (!removed.ok() && removed.error().kind != ErrorKind::not_found) co_return removed;
  }
  co_return co_await disk.sync_directory(storage::directory_of(path));
}

}  // namespace ccr::engine
