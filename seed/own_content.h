// OwnContent is what the target has already: its page file and its digest table, and how far the table may be believed.
//
// Believed: the table's entries of an extent are the digests of what the disk holds. Not so for an extent that an interrupted run
// may have written without its entries, nor where file and table differ in length; there the pages are read and digested. Fresh:
// the extent lies behind what the file had before this run; it is zeros on the disk and in the table. Lifetime: file, digests and
// map outlive it. Threads: the node's executor only. Nobody else writes pages or entries meanwhile.
#pragma once

#include <optional>
#include <vector>

#include "seed/seed_map.h"
#include "seed/seed_plan.h"
#include "storage/page_file.h"

namespace ccr::seed {

// What the caller knows of the digest table, apart from what the map knows.
enum class OwnTable : std::uint8_t {
  believed,  // it is what the disk holds: closed in order, or redone from min_required on after a crash
  doubted,   // a crash inside replay that was not redone, an earlier pass that ended with another root, a person's wish to repair
};

class OwnContent {
 public:
  OwnContent(storage::PageFile& file, storage::PageDigests& digests, const SeedMap& map, OwnTable table);

  // Makes file and table `pages` long; new pages are zeros. In memory and visible, durable with the next commit.
  Task<Result<void>> resize(PageNumber pages);

  PageRun pages(std::uint32_t extent) const noexcept;
  bool fresh(std::uint32_t extent) const noexcept;
  bool believed(std::uint32_t extent) const;
  // The digests of an extent's pages, from the table where it is believed, else from the disk. nullopt: the disk cannot read them.
  Task<Result<std::optional<std::vector<Digest64>>>> digests_of(std::uint32_t extent);
  // Of the same pages, were they zeros.
  Digest64 zeros_of(std::uint32_t extent) const;

 private:
  storage::PageFile& file_;
  storage::PageDigests& digests_;
  const SeedMap& map_;
  OwnTable table_;
  PageNumber file_before_;  // pages in the file when this run began
  PageNumber table_before_;
  AlignedBuffer buffer_;  // one extent
};

}  // namespace ccr::seed
