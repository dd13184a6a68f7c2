// The bodies of page_memory_disk.h, which includes this file at its end.
#pragma once

#include <algorithm>
#include <utility>

#include "tests/crash_states.h"
#include "tests/page_memory_disk.h"

namespace ccr::storage {
namespace page_memory_disk {

inline constexpr std::size_t sector_bytes = 512;

inline Error off() { return {ErrorKind::io, "the power is off", ""}; }

inline bool inside(const std::string& path, const std::string& directory) {
  return path.starts_with(directory + "/") && path.find('/', directory.size() + 1) == std::string::npos;
}

}  // namespace page_memory_disk

class PageMemoryDisk::OpenFile final : public File {
 public:
  OpenFile(PageMemoryDisk& disk, std::shared_ptr<Inode> inode, std::string path)
      : disk_(disk), inode_(std::move(inode)), path_(std::move(path)) {}

  Task<Result<std::size_t>> read_at(std::uint64_t offset, ByteSpan into) override {
    if (!disk_.begin()) co_return page_memory_disk::off();
    const Range& bad = disk_.unreadable_;
    const bool meets = offset < bad.offset + bad.bytes && bad.offset < offset + into.size();
    if (path_ == bad.path && meets) co_return Error{ErrorKind::io, path_ + ": bad sector", ""};
    co_return inode_->live.read(offset, into);
  }
  Task<Result<void>> write_at(std::uint64_t offset, ByteView from) override {
    if (!disk_.begin()) co_return page_memory_disk::off();
    ++disk_.counts_.writes;
    disk_.counts_.written_bytes += from.size();
    change({false, offset, Bytes(from.begin(), from.end())});
    co_return Result<void>();
  }
  Task<Result<void>> sync() override {
    if (!disk_.begin()) co_return page_memory_disk::off();
    const bool good = disk_.counts_.syncs++ != disk_.fail_sync_at_;
    for (const Change& unsynced : inode_->changes) {
      if (good) apply(unsynced, inode_->durable);
    }
    inode_->changes.clear();
    if (!good) co_return Error{ErrorKind::io, path_ + ": sync failed", ""};
    co_return Result<void>();
  }
  Task<Result<void>> truncate(std::uint64_t size) override {
    if (!disk_.begin()) co_return page_memory_disk::off();
    change({true, size, {}});
    co_return Result<void>();
  }
  Task<Result<void>> allocate(std::uint64_t size) override {
    if (size <= inode_->live.size()) co_return Result<void>();
    co_return co_await truncate(size);
  }
  Task<Result<std::uint64_t>> size() override { co_return std::uint64_t(inode_->live.size()); }

 private:
  void change(Change change) {
    apply(change, inode_->live);
    inode_->changes.push_back(std::move(change));
  }

  PageMemoryDisk& disk_;
  std::shared_ptr<Inode> inode_;
  std::string path_;
};

inline void PageMemoryDisk::repair() {
  fail_at_ = fail_sync_at_ = no_fault;
  unreadable_ = {};
}

inline void PageMemoryDisk::reset_counts() {
  CCR_ASSERT(fail_at_ == no_fault && fail_sync_at_ == no_fault);
  counts_ = {};
}

inline void PageMemoryDisk::crash(Keep keep, Random& random) {
  ++crash_states.opened;
  repair();
  for (auto& [path, inode] : names_) settle(*inode, keep, random);
  for (auto& [path, inode] : durable_names_) settle(*inode, keep, random);
  if (keep == Keep::synced) names_ = durable_names_;
  if (keep == Keep::some) names_ = some_names(random);
  durable_names_ = names_;
}

inline Bytes PageMemoryDisk::content(const std::string& path) const {
  const auto found = names_.find(path);
  return found == names_.end() ? Bytes() : found->second->live.all();
}

inline void PageMemoryDisk::put(const std::string& path, Bytes content) {
  auto inode = std::make_shared<Inode>();
  inode->durable.write(0, content);
  inode->live = inode->durable;
  names_[path] = durable_names_[path] = inode;
}

inline void PageMemoryDisk::flip(const std::string& path, std::uint64_t bit) {
  Inode& inode = *names_.at(path);
  for (sim::Content* image : {&inode.live, &inode.durable}) {
    if (bit / 8 < image->size()) image->flip(bit / 8, bit % 8);
  }
}

inline Task<Result<std::unique_ptr<File>>> PageMemoryDisk::open(std::string path, OpenMode mode) {
  if (!begin()) co_return page_memory_disk::off();
  const bool there = names_.contains(path);
  if (there && mode == OpenMode::create_new) co_return Error{ErrorKind::exists, path, ""};
  if (!there && (mode == OpenMode::read || mode == OpenMode::read_write)) co_return Error{ErrorKind::not_found, path, ""};
  if (!there) names_[path] = std::make_shared<Inode>();
  std::unique_ptr<File> file = std::make_unique<OpenFile>(*this, names_[path], path);
  co_return file;
}

inline Task<Result<void>> PageMemoryDisk::sync_directory(std::string directory) {
  if (!begin()) co_return page_memory_disk::off();
  ++counts_.directory_syncs;
  std::erase_if(durable_names_, [&](const auto& name) { return page_memory_disk::inside(name.first, directory); });
  for (const auto& [path, inode] : names_) {
    if (page_memory_disk::inside(path, directory)) durable_names_[path] = inode;
  }
  co_return Result<void>();
}

inline Task<Result<void>> PageMemoryDisk::rename(std::string from, std::string to) {
  if (!begin()) co_return page_memory_disk::off();
  if (!names_.contains(from)) co_return Error{ErrorKind::not_found, from, ""};
  names_[to] = names_[from];
  names_.erase(from);
  co_return Result<void>();
}

inline Task<Result<void>> PageMemoryDisk::remove(std::string path) {
  if (!begin()) co_return page_memory_disk::off();
  if (names_.erase(path) == 0) co_return Error{ErrorKind::not_found, path, ""};
  co_return Result<void>();
}

inline Task<Result<std::vector<DirectoryEntry>>> PageMemoryDisk::list(std::string directory) {
  std::vector<DirectoryEntry> entries;
  for (const auto& [path, inode] : names_) {
    if (page_memory_disk::inside(path, directory))
      entries.push_back({path.substr(directory.size() + 1), false, {inode->live.size()}});
  }
  co_return entries;
}

inline void PageMemoryDisk::apply(const Change& change, sim::Content& image) {
  if (change.truncation) {
    image.resize(change.offset);
  } else {
    image.write(change.offset, change.bytes);
  }
}

inline void PageMemoryDisk::apply_some_sectors(const Change& change, sim::Content& image, Random& random) {
  for (std::size_t at = 0; at < change.bytes.size(); at += page_memory_disk::sector_bytes) {
    if (random.chance(1, 2)) continue;
    const auto from = change.bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = static_cast<std::ptrdiff_t>(std::min(page_memory_disk::sector_bytes, change.bytes.size() - at));
    apply(Change{false, change.offset + at, Bytes(from, from + count)}, image);
  }
}

inline void PageMemoryDisk::settle(Inode& inode, Keep keep, Random& random) {
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

inline PageMemoryDisk::Names PageMemoryDisk::some_names(Random& random) const {
  Names all = durable_names_, kept;
  all.insert(names_.begin(), names_.end());
  for (const auto& [path, inode] : all) {
    const Names& side = random.chance(1, 2) ? names_ : durable_names_;
    const auto found = side.find(path);
    if (found != side.end()) kept[path] = found->second;
  }
  return kept;
}

}  // namespace ccr::storage
