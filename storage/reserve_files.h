// ReserveFiles are files of a generation's length that a log keeps for the moment at which its disk has no room for another: what is under way
// then is written into them, and its owner stops.
//
// fill() makes what is missing, written full of zeros and synced, with their names; no_space where they find no room: then nothing should be
// begun. take() gives one its new name, durably; nullptr where there is none. Failure: the error of the disk; a file that was begun is made
// anew by the next fill(). They stay over a restart. Bounds: files_kept. Calls do not overlap.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "storage/disk.h"

namespace ccr::storage {

class ReserveFiles {
 public:
  static constexpr std::size_t files_kept = 2;

  ReserveFiles(Disk& disk, std::string directory, std::uint64_t file_bytes) : disk_(disk), directory_(std::move(directory)), file_bytes_(file_bytes) {}

  Task<Result<void>> fill();
  Task<Result<std::unique_ptr<File>>> take(std::string path);

 private:
  std::string path_of(std::size_t index) const;
  Task<Result<void>> make(std::size_t index);

  Disk& disk_;
  std::string directory_;
  std::uint64_t file_bytes_;
  std::array<bool, files_kept> there_{};
};

bool is_reserve_name(const std::string& name);

// A new file of `bytes` zeros at `path`, written and synced; its name is not.
Task<Result<std::unique_ptr<File>>> make_zeros(Disk& disk, std::string path, std::uint64_t bytes);

}  // namespace ccr::storage
