// ScratchDisk is a Disk whose files have no names on the disk behind it: whatever ends the work, also a kill, nothing of it is left.
//
// It is for measurements that need the real code over real files. Names live in memory, for as long as the ScratchDisk; on the disk a
// file has one from its creation to the durable removal right behind it, and `prefix` (a path, the same for nobody else) is its beginning.
// Everything else is the disk's own: content, syncs, errors, space. Names need no sync here. Lifetime: the disk outlives it, and it
// outlives its files, those too that were replaced or removed. Threads: the disk's. Bounds: files_max at a time.
#pragma once

#include <map>
#include <vector>

#include "storage/disk.h"

namespace ccr::storage {

class ScratchDisk final : public Disk {
 public:
  static constexpr std::size_t files_max = 64;  // a page file, a digest table, a map, and what replaces them

  ScratchDisk(Disk& disk, std::string prefix) : disk_(disk), prefix_(std::move(prefix)) {}

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override;
  Task<Result<void>> make_directories(std::string path) override;
  Task<Result<void>> sync_directory(std::string path) override;
  Task<Result<void>> rename(std::string from, std::string to) override;
  Task<Result<void>> remove(std::string path) override;
  Task<Result<std::vector<DirectoryEntry>>> list(std::string path) override;
  Task<Result<DiskSpace>> space(std::string path) override;
  std::string_view name() const override { return disk_.name(); }

 private:
  Disk& disk_;
  std::string prefix_;
  std::uint64_t made_ = 0;
  std::map<std::string, std::unique_ptr<File>> files_;
  std::vector<std::unique_ptr<File>> nameless_;  // may still be open
};

}  // namespace ccr::storage
