// A disk in memory for tests of crashes: every file keeps what was synced and what was written since; power loss keeps a chosen
// part of that, down to single sectors in any order.
//
// Operations complete at once and are counted by kind. fail_from(n): the n-th operation from now and all after it fail, with no
// effect, as if the process died or the power went. fail_sync(n): the n-th sync from now alone fails; its writes stay visible and
// are lost with the power (FAULTS row 11).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/disk.h"
#include "tests/sim/sim_content.h"

namespace ccr::storage {

class PageMemoryDisk final : public Disk {
 public:
  enum class Keep { synced, everything, some };  // some: any subset of what was not synced, torn at sectors, in any order

  struct Counts {
    std::uint64_t operations = 0, writes = 0, written_bytes = 0, syncs = 0, directory_syncs = 0;
  };

  void fail_from(std::uint64_t operation) { fail_at_ = counts_.operations + operation; }
  void fail_sync(std::uint64_t sync) { fail_sync_at_ = counts_.syncs + sync; }
  void fail_reads_of(std::string path, std::uint64_t offset, std::uint64_t bytes) {
    unreadable_ = {std::move(path), offset, bytes};
  }
  void repair();                          // faults end
  void crash(Keep keep, Random& random);  // the power goes and comes back; open files are dead, faults end
  const Counts& counts() const noexcept { return counts_; }
  void reset_counts();

  bool exists(const std::string& path) const { return names_.contains(path); }
  Bytes content(const std::string& path) const;
  void put(const std::string& path, Bytes content);       // durable at once
  void flip(const std::string& path, std::uint64_t bit);  // rot, on the disk and in memory

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override;
  Task<Result<void>> make_directories(std::string) override { co_return Result<void>(); }
  Task<Result<void>> sync_directory(std::string directory) override;
  Task<Result<void>> rename(std::string from, std::string to) override;
  Task<Result<void>> remove(std::string path) override;
  Task<Result<std::vector<DirectoryEntry>>> list(std::string directory) override;
  Task<Result<DiskSpace>> space(std::string) override { co_return DiskSpace{1 * GiB, 1 * GiB}; }
  std::string_view name() const override { return "memory"; }

 private:
  static constexpr std::uint64_t no_fault = ~std::uint64_t(0);

  class OpenFile;
  struct Change {  // of a file since its last sync
    bool truncation = false;
    std::uint64_t offset = 0;  // or the new size
    Bytes bytes;
  };
  struct Inode {
    sim::Content live, durable;
    std::vector<Change> changes;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  struct Range {
    std::string path;
    std::uint64_t offset = 0, bytes = 0;
  };

  bool begin() { return counts_.operations++ < fail_at_; }  // of every operation
  static void apply(const Change& change, sim::Content& image);
  static void apply_some_sectors(const Change& change, sim::Content& image, Random& random);
  static void settle(Inode& inode, Keep keep, Random& random);
  Names some_names(Random& random) const;

  Names names_, durable_names_;
  Counts counts_;
  std::uint64_t fail_at_ = no_fault, fail_sync_at_ = no_fault;
  Range unreadable_;
};

}  // namespace ccr::storage

#include "tests/page_memory_disk_bodies.h"
