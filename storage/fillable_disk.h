// FillableDisk is a Disk below which one directory, or one file, can be out of space for a while: a drill's full volume, of which nothing is really filled.
//
// fill() lets every write and reservation there fail with no_space until its time is over, as on a volume without any free block (thin, or copying on write);
// empty() ends it before. What was written stays, names come and go, reads and syncs work. Everything else is the disk's own, at no cost.
// Nothing of it is on disk: a node that starts has the room that there is. Lifetime: disk and clock outlive it, and it outlives its files. Threads: the
// disk's. Bounds: fill_max; one place at a time.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "storage/disk.h"

namespace ccr::storage {

class FillableDisk final : public Disk {
 public:
  static constexpr Duration fill_max = std::chrono::minutes(10);

  FillableDisk(Disk& disk, Clock& clock) : disk_(disk), clock_(clock) {}

  void fill(std::string place, Duration how_long);
  void empty() { until_.reset(); }
  bool filled() const { return until_ && clock_.now() < *until_; }
  std::optional<Error> refusal(const std::string& path) const;  // of a write there, now

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override;
  Task<Result<void>> make_directories(std::string path) override { return disk_.make_directories(std::move(path)); }
  Task<Result<void>> sync_directory(std::string path) override { return disk_.sync_directory(std::move(path)); }
  Task<Result<void>> rename(std::string from, std::string to) override { return disk_.rename(std::move(from), std::move(to)); }
  Task<Result<void>> remove(std::string path) override { return disk_.remove(std::move(path)); }
  Task<Result<std::vector<DirectoryEntry>>> list(std::string path) override { return disk_.list(std::move(path)); }
  Task<Result<DiskSpace>> space(std::string path) override;
  Task<Result<FileAccess>> access(std::string path) override { return disk_.access(std::move(path)); }
  Task<Result<void>> give_access(std::string path, FileAccess access) override { return disk_.give_access(std::move(path), std::move(access)); }
  std::string_view name() const override { return disk_.name(); }

 private:
  Disk& disk_;
  Clock& clock_;
  std::string place_;
  std::optional<Instant> until_;
};

}  // namespace ccr::storage
