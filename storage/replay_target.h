// ReplayTarget is where the pages of whole commits go: a copy's page file and its digest table, or the digest table alone.
//
// Between two sync() calls a target may hold images back and write only the last one of each page, in any order: the caller made
// max_required durable beforehand, so nothing is believed until sync() completed. Digests are set at once, in memory.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "storage/log_reader.h"
#include "storage/page_digests.h"
#include "storage/page_file.h"
#include "storage/page_map.h"

namespace ccr::storage {

class ReplayTarget {
 public:
  virtual ~ReplayTarget() = default;
  virtual bool holds_pages() const noexcept = 0;  // false: a base marker needs no page, only digests that the owner brings itself
  virtual Task<Result<void>> resize(PageNumber count) = 0;
  virtual Task<Result<void>> write(std::span<const Page> pages) = 0;  // each in 1..count
  virtual Task<Result<void>> sync() = 0;  // pages durable, then the digest table
  virtual void give_back() {}             // after sync(), when nothing will come for a while: memory goes back to the system
};

// The page file of a passive copy (both kinds), or of an active page store.
class PageFileTarget final : public ReplayTarget {
 public:
  static constexpr std::size_t buffer_bytes_max = 8 * MiB;
  static constexpr int writes_in_flight_max = 8;
  static constexpr std::size_t gentle_bytes_max = 4 * MiB;  // up to this a batch is brought to the disk little by little
  static constexpr std::size_t parts_in_flight_max = 16;    // then

  enum class Digests { set, leave };  // leave: an active page store's table is fed when its log is durable, ahead of the file

  PageFileTarget(PageFile& file, PageDigests& digests, Digests mode);
  bool holds_pages() const noexcept override { return true; }
  Task<Result<void>> resize(PageNumber count) override;
  Task<Result<void>> write(std::span<const Page> pages) override;
  Task<Result<void>> sync() override;
  void give_back() override;

 private:
  Task<Result<void>> flush();
  Task<Result<void>> write_back(const std::vector<PageMap::Entry>& pages);
  Task<Result<void>> write_runs(std::size_t& next, const std::vector<PageMap::Entry>& pages);

  PageFile& file_;
  PageDigests& digests_;
  Digests mode_;
  AlignedBuffer buffer_;
  PageMap slots_;  // page -> its place in buffer_
  std::size_t used_ = 0;
  PageNumber count_;
  PageNumber smallest_;  // smallest count since the last flush: what lay above it is gone
  bool resized_ = true;  // since the last sync; at first nobody knows
};

// An active SQLite copy: its application writes the file, redo only brings the digest table up to the log.
class DigestTarget final : public ReplayTarget {
 public:
  explicit DigestTarget(PageDigests& digests) : digests_(digests) {}
  bool holds_pages() const noexcept override { return false; }
  Task<Result<void>> resize(PageNumber count) override;
  Task<Result<void>> write(std::span<const Page> pages) override;
  Task<Result<void>> sync() override;

 private:
  PageDigests& digests_;
};

}  // namespace ccr::storage
