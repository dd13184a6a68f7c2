#include "storage/quarantine.h"

#include <algorithm>

namespace ccr::storage {
namespace {

constexpr const char* pages_folder = "pages";

// The open generation of a copy that was the active one, where it could not be taken for a received one; 0: its header cannot be read.
Task<Result<std::vector<GenerationFile>>> written_file(Disk& disk, std::string directory) {
  std::vector<GenerationFile> found;
  GenerationFile written;
  written.path = path_in(directory, current_name);
  Result<std::unique_ptr<File>> file = co_await disk.open(written.path, OpenMode::read);
  if (!file.ok() && file.error().kind == ErrorKind::not_found) co_return found;
  if (!file.ok()) co_return file.error();
  const Result<std::uint64_t> size = co_await (*file)->size();
  if (!size.ok()) co_return size.error();
  const Result<GenerationHeader> header = co_await read_header(**file);
  if (header.ok()) written.generation = header->generation;
  written.bytes = *size;
  written.sealed = true;  // by where it lies
  found.push_back(std::move(written));
  co_return std::move(found);
}

// What lies in a log directory from `from` on: sealed files, then those under incoming/, each rising; with all of them the one that was written.
Task<Result<std::vector<GenerationFile>>> files_from(Disk& disk, std::string directory, Generation from) {
  const std::string folder = path_in(directory, incoming_folder);
  Result<std::vector<GenerationFile>> files = co_await numbered_files(disk, directory, true);
  if (!files.ok()) co_return files.error();
  Result<std::vector<GenerationFile>> incoming = co_await numbered_files(disk, folder, false);
  if (!incoming.ok()) co_return incoming.error();
  files->insert(files->end(), incoming->begin(), incoming->end());
  std::erase_if(*files, [&](const GenerationFile& file) { return file.generation < from; });
  if (from.number == 0) {
    Result<std::vector<GenerationFile>> written = co_await written_file(disk, directory);
    if (!written.ok()) co_return written.error();
    files->insert(files->end(), written->begin(), written->end());
  }
  co_return std::move(*files);
}

Task<Result<void>> move_file(Disk& disk, std::string directory, GenerationFile file) {
  const std::string folder = path_in(directory, quarantine_folder);
  Result<std::vector<DirectoryEntry>> entries = co_await disk.list(folder);
  if (!entries.ok()) co_return entries.error();
  std::string to;
  for (std::size_t number = 1; number <= entries->size() + 1 && to.empty(); ++number) {
    const std::string name = sealed_name(file.generation) + "." + std::to_string(number);
    const auto same = [&name](const DirectoryEntry& entry) { return entry.name == name; };
    if (std::none_of(entries->begin(), entries->end(), same)) to = path_in(folder, name);
  }
  CCR_ASSERT(!to.empty());
  CCR_CO_TRY(co_await disk.rename(file.path, to));
  co_return co_await disk.sync_directory(folder);
}

}  // namespace

Task<Result<Quarantine>> measure_quarantine(Disk& disk, std::string directory) {
  const std::string folder = path_in(directory, quarantine_folder);
  Quarantine quarantine;
  Result<std::vector<DirectoryEntry>> entries = co_await disk.list(folder);
  if (!entries.ok() && entries.error().kind == ErrorKind::not_found) co_return quarantine;
  if (!entries.ok()) co_return entries.error();
  for (const DirectoryEntry& entry : *entries) {
    if (entry.directory) continue;
    ++quarantine.files;
    quarantine.bytes += entry.facts.bytes;
  }
  co_return quarantine;
}

Task<Result<void>> check_quarantine(Disk& disk, std::string directory, Generation from) {
  Result<std::vector<GenerationFile>> files = co_await files_from(disk, directory, from);
  if (!files.ok()) co_return files.error();
  std::uint64_t bytes = 0;
  for (const GenerationFile& file : *files) bytes += file.bytes;
  const Result<Quarantine> there = co_await measure_quarantine(disk, directory);
  if (!there.ok()) co_return there.error();
  if (there->has_room(files->size(), bytes)) co_return Result<void>();
  const std::string folder = path_in(directory, quarantine_folder);
  co_return Error{ErrorKind::full,
                  folder + " holds " + std::to_string(there->files) + " files of " + std::to_string(there->bytes) + " bytes; " +
                      std::to_string(files->size()) + " more of " + std::to_string(bytes) + " bytes would go beyond " +
                      std::to_string(Quarantine::files_max) + " files or " + std::to_string(Quarantine::bytes_max) + " bytes",
                  "nothing there is used any more: look at it (ccr log show FILE), move or remove the files of " + folder + ", then seed again"};
}

Task<Result<void>> set_aside_generations(Disk& disk, std::string directory, Generation from) {
  CCR_CO_TRY(co_await check_quarantine(disk, directory, from));
  co_return co_await move_generations_aside(disk, directory, from);
}

Task<Result<void>> move_generations_aside(Disk& disk, std::string directory, Generation from) {
  Result<std::vector<GenerationFile>> files = co_await files_from(disk, directory, from);
  if (!files.ok()) co_return files.error();
  if (files->empty()) co_return Result<void>();
  const std::string folder = path_in(directory, quarantine_folder);
  CCR_CO_TRY(co_await disk.make_directories(folder));
  for (auto file = files->rbegin(); file != files->rend(); ++file) {
    const GenerationFile moved = *file;
    CCR_CO_TRY(co_await move_file(disk, directory, moved));
    const std::string where = moved.sealed ? directory : path_in(directory, incoming_folder);
    CCR_CO_TRY(co_await disk.sync_directory(where));
  }
  co_return Result<void>();
}

Task<Result<bool>> set_aside_page(Disk& disk, std::string directory, PageNumber page, ByteView found) {
  constexpr int page_digits = 8, digest_digits = 16;
  const std::string folder = path_in(path_in(directory, quarantine_folder), pages_folder);
  const std::string name = to_hex(page, page_digits) + "-" + to_hex(page_digest(page, found), digest_digits) + ".page";
  CCR_CO_TRY(co_await disk.make_directories(folder));
  const Result<std::vector<DirectoryEntry>> entries = co_await disk.list(folder);
  if (!entries.ok()) co_return entries.error();
  const auto same = [&name](const DirectoryEntry& entry) { return entry.name == name; };
  if (std::any_of(entries->begin(), entries->end(), same)) co_return true;
  if (entries->size() >= pages_set_aside_max) co_return false;
  std::string path = path_in(folder, name);
  Result<std::unique_ptr<File>> file = co_await disk.open(std::move(path), OpenMode::create);
  if (!file.ok()) co_return file.error();
  CCR_CO_TRY(co_await (*file)->write_at(0, found));
  CCR_CO_TRY(co_await (*file)->sync());
  CCR_CO_TRY(co_await disk.sync_directory(folder));
  co_return true;
}

}  // namespace ccr::storage
