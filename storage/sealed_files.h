// SealedFiles are generations that end in their seals and are not durable yet: they wait for one sync together.
//
// add() takes them in rising order. spawn_syncs() starts a sync of each one's content, side by side in the caller's group; what gives them
// their names, and in which order, is the caller's. clear() when content and names are durable, or nobody wants them any more.
// Bounds: files_max, so that open files stay few and a crash leaves no more than these behind; a full() one is synced before the next add().
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/position.h"
#include "base/task_group.h"
#include "storage/disk.h"

namespace ccr::storage {

class SealedFiles {
 public:
  static constexpr std::size_t files_max = 16;

  void add(std::unique_ptr<File> file, Generation generation);
  void spawn_syncs(TaskGroup& group) const;
  void clear() noexcept;

  std::size_t size() const noexcept { return files_.size(); }
  bool empty() const noexcept { return files_.empty(); }
  bool full() const noexcept { return files_.size() == files_max; }
  const std::vector<Generation>& generations() const noexcept { return generations_; }

 private:
  std::vector<std::unique_ptr<File>> files_;
  std::vector<Generation> generations_;  // of each file
};

}  // namespace ccr::storage
