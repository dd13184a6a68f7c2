// A disk in memory for tests of crashes: every file keeps what was synced and what was written since; power loss keeps a chosen
// part.
//
// Operations complete at once and are counted by kind. fail_from(n): the n-th operation from now and all after it fail, with no
// effect, as if the power went. fail_sync(n): the n-th sync alone fails; its writes stay visible and are lost with the power
// (FAULTS row 11).
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "storage/disk.h"

namespace ccr::storage {

class PageMemoryDisk final : public Disk {
 public:
  enum class Keep { synced, everything, some };  // some: any subset of what was not synced, torn at sectors, in any order

  struct Counts {
    std::uint64_t operations = 0, writes = 0, written_bytes = 0, syncs = 0, directory_syncs = 0, opens = 0;
  };

  void fail_from(std::uint64_t operation) { fail_at_ = counts_.operations + operation; }
  void fail_sync(std::uint64_t sync) { fail_sync_at_ = counts_.syncs + sync; }
  void fail_reads_of(std::string path, std::uint64_t offset, std::uint64_t bytes) {
    unreadable_ = {std::move(path), offset, bytes};
  }
  void repair() {
    fail_at_ = fail_sync_at_ = no_fault;
    unreadable_ = {};
  }
  const Counts& counts() const noexcept { return counts_; }
  void reset_counts() {
    CCR_ASSERT(fail_at_ == no_fault && fail_sync_at_ == no_fault);
    counts_ = {};
  }

  // The power goes and comes back; open files are dead. Faults end.
  void crash(Keep keep, Random& random) {
    repair();
    for (auto& [path, inode] : names_) settle_inode(*inode, keep, random);
    for (auto& [path, inode] : durable_names_) settle_inode(*inode, keep, random);
    if (keep == Keep::synced) names_ = durable_names_;
    if (keep == Keep::some) names_ = some_names(random);
    durable_names_ = names_;
  }

  Bytes content(const std::string& path) const {
    const auto found = names_.find(path);
    return found == names_.end() ? Bytes() : found->second->live;
  }
  void put(const std::string& path, Bytes content) {  // durable at once
    auto inode = std::make_shared<Inode>();
    inode->live = inode->durable = std::move(content);
    names_[path] = durable_names_[path] = inode;
  }
  void flip(const std::string& path, std::uint64_t bit) {
    Inode& inode = *names_.at(path);
    for (Bytes* image : {&inode.live, &inode.durable}) {
      if (bit / 8 < image->size()) (*image)[bit / 8] ^= std::byte(1u << (bit % 8));
    }
  }
  bool exists(const std::string& path) const { return names_.contains(path); }

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override {
    if (!begin()) co_return off();
    ++counts_.opens;
    const bool there = names_.contains(path);
    if (there && mode == OpenMode::create_new) co_return Error{ErrorKind::exists, path, ""};
    if (!there && (mode == OpenMode::read || mode == OpenMode::read_write)) co_return Error{ErrorKind::not_found, path, ""};
    if (!there) names_[path] = std::make_shared<Inode>();
    std::unique_ptr<File> file = std::make_unique<OpenFile>(*this, names_[path], path);
    co_return file;
  }
  Task<Result<void>> make_directories(std::string) override { co_return Result<void>(); }
  Task<Result<void>> sync_directory(std::string directory) override {
    if (!begin()) co_return off();
    ++counts_.directory_syncs;
    std::erase_if(durable_names_, [&](const auto& name) { return inside(name.first, directory); });
    for (const auto& [path, inode] : names_) {
      if (inside(path, directory)) durable_names_[path] = inode;
    }
    co_return Result<void>();
  }
  Task<Result<void>> rename(std::string from, std::string to) override {
    if (!begin()) co_return off();
    const auto found = names_.find(from);
    if (found == names_.end()) co_return Error{ErrorKind::not_found, from, ""};
    names_[to] = found->second;
    names_.erase(from);
    co_return Result<void>();
  }
  Task<Result<void>> remove(std::string path) override {
    if (!begin()) co_return off();
    if (names_.erase(path) == 0) co_return Error{ErrorKind::not_found, path, ""};
    co_return Result<void>();
  }
  Task<Result<std::vector<DirectoryEntry>>> list(std::string directory) override {
    std::vector<DirectoryEntry> entries;
    for (const auto& [path, inode] : names_) {
      if (inside(path, directory)) entries.push_back({path.substr(directory.size() + 1), false, inode->live.size()});
    }
    co_return entries;
  }
  Task<Result<DiskSpace>> space(std::string) override { co_return DiskSpace{1 * GiB, 1 * GiB}; }
  std::string_view name() const override { return "memory"; }

 private:
  static constexpr std::uint64_t no_fault = ~std::uint64_t(0);
  static constexpr std::size_t sector_bytes = 512;

  struct Change {  // of a file since its last sync
    bool truncation = false;
    std::uint64_t offset = 0;  // or the new size
    Bytes bytes;
  };
  struct Inode {
    Bytes live, durable;
    std::vector<Change> changes;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  struct Range {
    std::string path;
    std::uint64_t offset = 0, bytes = 0;
  };

  class OpenFile final : public File {
   public:
    OpenFile(PageMemoryDisk& disk, std::shared_ptr<Inode> inode, std::string path)
        : disk_(disk), inode_(std::move(inode)), path_(std::move(path)) {}

    Task<Result<std::size_t>> read_at(std::uint64_t offset, ByteSpan into) override {
      if (!disk_.begin()) co_return off();
      const Range& bad = disk_.unreadable_;
      if (path_ == bad.path && offset < bad.offset + bad.bytes && bad.offset < offset + into.size())
        co_return Error{ErrorKind::io, path_ + ": bad sector", ""};
      const Bytes& live = inode_->live;
      const std::size_t count = offset >= live.size() ? 0 : std::min<std::size_t>(into.size(), live.size() - offset);
      if (count > 0) std::memcpy(into.data(), live.data() + offset, count);
      co_return count;
    }
    Task<Result<void>> write_at(std::uint64_t offset, ByteView from) override {
      if (!disk_.begin()) co_return off();
      ++disk_.counts_.writes;
      disk_.counts_.written_bytes += from.size();
      Change change{false, offset, Bytes(from.begin(), from.end())};
      apply(change, inode_->live);
      inode_->changes.push_back(std::move(change));
      co_return Result<void>();
    }
    Task<Result<void>> sync() override {
      if (!disk_.begin()) co_return off();
      if (disk_.counts_.syncs++ == disk_.fail_sync_at_) {
        inode_->changes.clear();
        co_return Error{ErrorKind::io, path_ + ": sync failed", ""};
      }
      for (const Change& change : inode_->changes) apply(change, inode_->durable);
      inode_->changes.clear();
      co_return Result<void>();
    }
    Task<Result<void>> truncate(std::uint64_t size) override {
      if (!disk_.begin()) co_return off();
      Change change{true, size, {}};
      apply(change, inode_->live);
      inode_->changes.push_back(std::move(change));
      co_return Result<void>();
    }
    Task<Result<void>> allocate(std::uint64_t size) override {
      if (size <= inode_->live.size()) co_return Result<void>();
      co_return co_await truncate(size);
    }
    Task<Result<std::uint64_t>> size() override { co_return std::uint64_t(inode_->live.size()); }

   private:
    PageMemoryDisk& disk_;
    std::shared_ptr<Inode> inode_;
    std::string path_;
  };

  static Error off() { return {ErrorKind::io, "the power is off", ""}; }
  bool begin() { return counts_.operations++ < fail_at_; }
  static bool inside(const std::string& path, const std::string& directory) {
    return path.starts_with(directory + "/") && path.find('/', directory.size() + 1) == std::string::npos;
  }
  static void apply(const Change& change, Bytes& image) {
    if (change.truncation) {
      image.resize(change.offset);
      return;
    }
    if (image.size() < change.offset + change.bytes.size()) image.resize(change.offset + change.bytes.size());
    std::copy(change.bytes.begin(), change.bytes.end(), image.begin() + static_cast<std::ptrdiff_t>(change.offset));
  }
  static void apply_some_sectors(const Change& change, Bytes& image, Random& random) {
    for (std::size_t at = 0; at < change.bytes.size(); at += sector_bytes) {
      if (random.chance(1, 2)) continue;
      const auto from = change.bytes.begin() + static_cast<std::ptrdiff_t>(at);
      const auto count = static_cast<std::ptrdiff_t>(std::min(sector_bytes, change.bytes.size() - at));
      apply(Change{false, change.offset + at, Bytes(from, from + count)}, image);
    }
  }
  static void settle_inode(Inode& inode, Keep keep, Random& random) {
    for (const Change& change : inode.changes) {
      if (keep == Keep::everything) apply(change, inode.durable);
      if (keep != Keep::some || random.chance(1, 3)) continue;
      if (change.truncation || random.chance(1, 2)) {
        apply(change, inode.durable);
      } else {
        apply_some_sectors(change, inode.durable, random);
      }
    }
    inode.changes.clear();
    inode.live = inode.durable;
  }
  Names some_names(Random& random) const {
    Names all = durable_names_, kept;
    all.insert(names_.begin(), names_.end());
    for (const auto& [path, inode] : all) {
      const Names& side = random.chance(1, 2) ? names_ : durable_names_;
      const auto found = side.find(path);
      if (found != side.end()) kept[path] = found->second;
    }
    return kept;
  }

  Names names_, durable_names_;
  Counts counts_;
  std::uint64_t fail_at_ = no_fault, fail_sync_at_ = no_fault;
  Range unreadable_;
};

}  // namespace ccr::storage
