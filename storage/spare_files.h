// SpareFiles are truncated generations whose files serve again: their blocks are allocated and written, so what is written over them is
// synced without a journal of the file system, which doubles what small and large syncs carry (bench/README.md).
//
// What lies in them is of lower generations of the same log and known as such (is_left_over, log_format.h): one whose number would not be
// lower is not given. keep_or_remove() takes the file out of the log; only when its directory is synced may the
// caller settle() what it answered, and it be taken, since a crash could else leave both names. take() gives the file its new name, not durably. At a start what was
// left is removed with remove_spares(). Failure: the error of the disk; the file has its old name, its spare one, or is gone. Bounds:
// files_max, bytes_max. Calls may overlap.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "storage/log_reader.h"

namespace ccr::storage {

class SpareFiles {
 public:
  static constexpr std::size_t files_max = 64;
  static constexpr std::uint64_t bytes_max = 64 * MiB;

  // `directory`: where spare files lie.
  SpareFiles(Disk& disk, std::string directory) : disk_(disk), directory_(std::move(directory)) {}

  // `length`: of files that will be asked for; another one is removed. 0: no file is.
  // Answers the spare file, or none where it was removed.
  Task<Result<std::optional<GenerationFile>>> keep_or_remove(GenerationFile file, std::uint64_t length);
  void settle(std::optional<GenerationFile> spare);
  // One of `length` bytes for `generation`, under the name `path`, which it takes over; nullptr where there is none.
  Task<Result<std::unique_ptr<File>>> take(std::string path, Generation generation, std::uint64_t length);
  // The same, or a new file of that length.
  Task<Result<std::unique_ptr<File>>> take_or_make(std::string path, Generation generation, std::uint64_t length);
  Task<Result<void>> clear();
  bool empty() const noexcept { return settled_.empty(); }

 private:
  Disk& disk_;
  std::string directory_;
  std::deque<GenerationFile> settled_;
  std::uint64_t names_ = 0;  // given so far
};

bool is_spare_name(const std::string& name);
// What an earlier process left; durable with the directory's next sync.
Task<Result<void>> remove_spares(Disk& disk, std::string directory);

}  // namespace ccr::storage
