// A disk in memory for the tests of the log: each file has what was written and what was synced, each directory the names it shows
// and the names it would still have after a power cut.
//
// stop_at(n): the n-th operation from now and all later ones fail, as if the process had died in it; a write dies half done.
// crash(): what remains after a power cut. Deterministic, no threads, every operation completes at once.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/disk.h"
#include "tests/crash_states.h"
#include "tests/sim/sim_content.h"

namespace ccr::storage {

// What survives of that which was not synced; a disk may keep any part of it. `last_name`: all content, and of the names the last change alone, as of
// a file system that does not keep their order.
enum class Survives { nothing, names, content, everything, last_name };

class MemoryDisk final : public Disk {
 public:
  struct Inode {
    sim::Content live, synced;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  Task<Result<std::unique_ptr<File>>> open(std::string path, OpenMode mode) override;
  Task<Result<void>> make_directories(std::string path) override {
    if (!step()) co_return died();
    for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) directories_.insert(path.substr(0, at));
    directories_.insert(path);
    co_return Result<void>();
  }
  Task<Result<void>> sync_directory(std::string path) override {
    if (!step()) co_return died();
    for (auto it = synced_.begin(); it != synced_.end();) it = parent(it->first) == path ? synced_.erase(it) : std::next(it);
    for (const auto& [name, inode] : live_) {
      if (parent(name) == path) synced_[name] = inode;
    }
    std::erase_if(unsynced_, [&](const NameChange& change) { return parent(change.from) == path || parent(change.to) == path; });
    co_return Result<void>();
  }
  Task<Result<void>> rename(std::string from, std::string to) override {
    if (!step()) co_return died();
    const auto it = live_.find(from);
    if (it == live_.end()) co_return missing(from);
    const std::shared_ptr<Inode> inode = it->second;
    live_.erase(it);
    live_[to] = inode;
    unsynced_.push_back({from, to, inode});
    co_return Result<void>();
  }
  Task<Result<void>> remove(std::string path) override {
    if (!step()) co_return died();
    if (live_.erase(path) == 0) co_return missing(path);
    unsynced_.push_back({path, "", nullptr});
    co_return Result<void>();
  }
  Task<Result<std::vector<DirectoryEntry>>> list(std::string path) override {
    if (!step()) co_return died();
    if (!directories_.contains(path)) co_return missing(path);
    std::vector<DirectoryEntry> entries;
    for (const auto& [name, inode] : live_) {
      if (parent(name) == path) entries.push_back({name.substr(path.size() + 1), false, {inode->live.size()}});
    }
    for (const std::string& name : directories_) {
      if (parent(name) == path) entries.push_back({name.substr(path.size() + 1), true});
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    co_return entries;
  }
  Task<Result<DiskSpace>> space(std::string) override { co_return DiskSpace{GiB, GiB}; }
  std::string_view name() const override { return "memory"; }

  // The power is cut; then the machine starts again.
  void crash(Survives survives) {
    ++crash_states.opened;
    if (survives != Survives::names && survives != Survives::everything) live_ = synced_;
    if (survives == Survives::last_name && !unsynced_.empty()) {
      const NameChange& last = unsynced_.back();
      live_.erase(last.from);
      if (last.inode != nullptr) live_[last.to] = last.inode;
    }
    unsynced_.clear();
    const bool keep = survives != Survives::nothing && survives != Survives::names;
    for (auto& [name, inode] : live_) keep ? inode->synced = inode->live : inode->live = inode->synced;
    synced_ = live_;
    stop_at(never);
  }
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();
  void stop_at(std::uint64_t operation) {
    left_ = operation;
    operations_ = 0;
  }
  std::uint64_t operations() const { return operations_; }
  bool died_already() const { return operations_ >= left_; }

  bool has(const std::string& path) const { return live_.contains(path); }
  Bytes content(const std::string& path) const { return live_.at(path)->live.all(); }
  sim::Content& file(const std::string& path) { return live_.at(path)->live; }  // to damage it; not synced
  // Puts bytes in place durably, as rot or a careless hand would.
  void put(const std::string& path, ByteView bytes) {
    auto inode = std::make_shared<Inode>();
    inode->live.write(0, bytes);
    inode->synced = inode->live;
    live_[path] = synced_[path] = inode;
  }
  void fill(bool full) { full_ = full; }  // no file becomes longer by allocate()
  void have_no_descriptor_for(std::set<std::string> paths) { unopened_ = std::move(paths); }
  void drop(const std::string& path) { live_.erase(path), synced_.erase(path); }
  std::vector<std::pair<std::string, Bytes>> all() const {
    std::vector<std::pair<std::string, Bytes>> files;
    for (const auto& [name, inode] : live_) files.emplace_back(name, inode->live.all());
    return files;
  }

 private:
  friend class MemoryFile;
  struct NameChange {
    std::string from, to;
    std::shared_ptr<Inode> inode;  // none: removed
  };
  static std::string parent(const std::string& path) { return path.substr(0, path.rfind('/')); }
  static Error died() { return {ErrorKind::io, "the process died here", ""}; }
  static Error missing(const std::string& path) { return {ErrorKind::not_found, path + ": no such file", ""}; }
  bool step() { return ++operations_ < left_; }

  Names live_, synced_;
  std::vector<NameChange> unsynced_;
  std::set<std::string> directories_;
  std::uint64_t left_ = never;
  bool full_ = false;
  std::set<std::string> unopened_;
  std::uint64_t operations_ = 0;
};

class MemoryFile final : public File {
 public:
  MemoryFile(MemoryDisk& disk, std::shared_ptr<MemoryDisk::Inode> inode) : disk_(disk), inode_(std::move(inode)) {}
  Task<Result<std::size_t>> read_at(std::uint64_t offset, ByteSpan into) override {
    if (!disk_.step()) co_return MemoryDisk::died();
    co_return inode_->live.read(offset, into);
  }
  Task<Result<void>> write_at(std::uint64_t offset, ByteView from) override {
    const bool alive = disk_.step();
    if (!alive && disk_.operations_ > disk_.left_) co_return MemoryDisk::died();
    const std::size_t count = alive ? from.size() : from.size() / 2 / sector * sector;  // torn
    inode_->live.write(offset, from.first(count));
    if (!alive) co_return MemoryDisk::died();
    co_return Result<void>();
  }
  Task<Result<void>> sync() override {
    if (!disk_.step()) co_return MemoryDisk::died();
    inode_->synced = inode_->live;
    co_return Result<void>();
  }
  Task<Result<void>> truncate(std::uint64_t size) override {
    if (!disk_.step()) co_return MemoryDisk::died();
    inode_->live.resize(size);
    co_return Result<void>();
  }
  Task<Result<void>> allocate(std::uint64_t size) override {
    if (!disk_.step()) co_return MemoryDisk::died();
    if (inode_->live.size() < size && disk_.full_) co_return Error{ErrorKind::no_space, "no space left", ""};
    if (inode_->live.size() < size) inode_->live.resize(size);
    co_return Result<void>();
  }
  Task<Result<std::uint64_t>> size() override {
    if (!disk_.step()) co_return MemoryDisk::died();
    co_return inode_->live.size();
  }

 private:
  static constexpr std::size_t sector = 512;
  MemoryDisk& disk_;
  std::shared_ptr<MemoryDisk::Inode> inode_;
};

inline Task<Result<std::unique_ptr<File>>> MemoryDisk::open(std::string path, OpenMode mode) {
  if (!step()) co_return died();
  if (unopened_.contains(path)) co_return Error{ErrorKind::busy, path + ": too many open files", ""};
  const auto it = live_.find(path);
  const bool create = mode == OpenMode::create || mode == OpenMode::create_new;
  if (it != live_.end() && mode == OpenMode::create_new) co_return Error{ErrorKind::exists, path + ": exists", ""};
  if (it == live_.end() && (!create || !directories_.contains(parent(path)))) co_return missing(path);
  std::shared_ptr<Inode> inode = it != live_.end() ? it->second : std::make_shared<Inode>();
  if (it == live_.end()) unsynced_.push_back({"", path, inode});
  live_[path] = inode;
  std::unique_ptr<File> file = std::make_unique<MemoryFile>(*this, std::move(inode));
  co_return std::move(file);
}

}  // namespace ccr::storage
