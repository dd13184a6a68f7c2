#include "storage/sealed_files.h"

#include <utility>

namespace ccr::storage {

void SealedFiles::add(std::unique_ptr<File> file, Generation generation) {
  CCR_ASSERT(file != nullptr && !full());
  CCR_ASSERT(empty() || generations_.back() < generation);
  files_.push_back(std::move(file));
  generations_.push_back(generation);
}

void SealedFiles::spawn_syncs(TaskGroup& group) const {
  for (const std::unique_ptr<File>& file : files_) group.spawn(file->sync());
}

void SealedFiles::clear() noexcept {
  files_.clear();
  generations_.clear();
}

}  // namespace ccr::storage
