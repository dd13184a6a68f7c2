#include "engine/file_place.h"

#include <vector>

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
    const bool log = entry.name == name + "-wal" || entry.name == name + "-journal";
    if (!log || entry.facts.bytes == 0) continue;
    co_return Error{ErrorKind::corrupt,
                    subject + ": a program opened " + path + " for writing and left " + entry.name + " beside it (" +
                        std::to_string(entry.facts.bytes) + " bytes)",
                    "end that program and move " + entry.name + " away: whoever opens the copy next would read it as part of the copy"};
  }
  co_return Result<void>();
}

}  // namespace ccr::engine
