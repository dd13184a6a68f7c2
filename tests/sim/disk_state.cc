#include "tests/sim/disk_state.h"

#include <algorithm>
#include <set>

namespace ccr::sim {
namespace {

constexpr std::uint64_t block_bytes = 4 * KiB;

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from < path.size();) {
    const std::size_t to = std::min(path.find('/', from), path.size());
    if (to > from) parts.push_back(path.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

Error not_found(const std::string& path) { return {ErrorKind::not_found, path + ": no such file or directory", ""}; }

}  // namespace

DiskState::DiskState() { directories_[root]; }

DiskState::FileState& DiskState::at(NodeId file) {
  const auto found = files_.find(file);
  CCR_ASSERT(found != files_.end());
  return found->second;
}

const DiskState::FileState& DiskState::at(NodeId file) const {
  const auto found = files_.find(file);
  CCR_ASSERT(found != files_.end());
  return found->second;
}

Result<DiskState::Place> DiskState::place(const std::string& path) const {
  std::vector<std::string> parts = split(path);
  if (parts.empty()) return Error{ErrorKind::io, path + ": is the root", ""};
  Place place{root, parts.back(), 0};
  parts.pop_back();
  for (const std::string& part : parts) {
    const Names& names = directories_.at(place.directory).cached;
    const auto found = names.find(part);
    if (found == names.end() || directories_.count(found->second) == 0) return not_found(path);
    place.directory = found->second;
  }
  const Names& names = directories_.at(place.directory).cached;
  const auto found = names.find(place.name);
  if (found != names.end()) place.node = found->second;
  return place;
}

Result<NodeId> DiskState::directory(const std::string& path) const {
  if (split(path).empty()) return root;
  const Result<Place> place = this->place(path);
  if (!place) return place.error();
  if (directories_.count(place->node) == 0) return not_found(path);
  return place->node;
}

Result<NodeId> DiskState::find(const std::string& path) const {
  const Result<Place> place = this->place(path);
  if (!place) return place.error();
  if (files_.count(place->node) == 0) return not_found(path);
  return place->node;
}

void DiskState::apply(Names& names, const NameChange& change) {
  // Chance may have dropped or kept changes before this one: remove a name only while it still means this node.
  if (!change.removed.empty()) {
    const auto found = names.find(change.removed);
    if (found != names.end() && found->second == change.node) names.erase(found);
  }
  if (!change.added.empty()) names[change.added] = change.node;
}

void DiskState::change_names(NodeId directory, NameChange change) {
  DirectoryState& state = directories_.at(directory);
  apply(state.cached, change);
  state.unsynced.push_back(std::move(change));
}

Result<NodeId> DiskState::open(const std::string& path, storage::OpenMode mode) {
  const Result<Place> place = this->place(path);
  if (!place) return place.error();
  if (directories_.count(place->node) != 0) return Error{ErrorKind::identity, path + ": not a regular file", ""};
  const bool exists = place->node != 0;
  if (exists && mode == storage::OpenMode::create_new) return Error{ErrorKind::exists, path + ": exists", ""};
  if (exists) return place->node;
  if (mode == storage::OpenMode::read || mode == storage::OpenMode::read_write) return not_found(path);
  const NodeId node = next_node_++;
  files_[node];
  change_names(place->directory, {sequence_++, "", place->name, node});
  return node;
}

Result<std::vector<std::string>> DiskState::make_directories(const std::string& path) {
  std::vector<std::string> made_in;
  NodeId directory = root;
  std::string reached;
  for (const std::string& part : split(path)) {
    const Names& names = directories_.at(directory).cached;
    const auto found = names.find(part);
    if (found == names.end()) {
      const NodeId node = next_node_++;
      directories_[node];
      change_names(directory, {sequence_++, "", part, node});
      made_in.push_back(reached);
      directory = node;
    } else if (directories_.count(found->second) == 0) {
      return Error{ErrorKind::exists, path + ": a file is in the way", ""};
    } else {
      directory = found->second;
    }
    reached += "/" + part;
  }
  return made_in;
}

Result<void> DiskState::rename(const std::string& from, const std::string& to) {
  const Result<Place> source = place(from);
  if (!source) return source.error();
  if (source->node == 0) return not_found(from);
  const Result<Place> target = place(to);
  if (!target) return target.error();
  if (target->node == source->node) return {};
  const bool directories = directories_.count(source->node) != 0 || directories_.count(target->node) != 0;
  if (directories && target->node != 0) return Error{ErrorKind::exists, to + ": exists", ""};
  const Mark sequence = sequence_++;  // one change, even where two directories carry it
  if (source->directory == target->directory) {
    change_names(source->directory, {sequence, source->name, target->name, source->node});
  } else {
    change_names(source->directory, {sequence, source->name, "", source->node, target->directory});
    change_names(target->directory, {sequence, "", target->name, source->node});
  }
  return {};
}

Result<void> DiskState::remove(const std::string& path) {
  const Result<Place> found = place(path);
  if (!found) return found.error();
  if (found->node == 0) return not_found(path);
  const auto as_directory = directories_.find(found->node);
  if (as_directory != directories_.end() && !as_directory->second.cached.empty()) {
    return Error{ErrorKind::io, path + ": directory is not empty", ""};
  }
  change_names(found->directory, {sequence_++, found->name, "", found->node});
  return {};
}

Result<std::vector<storage::DirectoryEntry>> DiskState::list(const std::string& path) const {
  const Result<NodeId> found = directory(path);
  if (!found) return found.error();
  std::vector<storage::DirectoryEntry> entries;
  for (const auto& [name, node] : directories_.at(*found).cached) {
    const auto file = files_.find(node);
    const bool is_file = file != files_.end();
    if (!is_file) {
      entries.push_back({name, true});
      continue;
    }
    const std::uint64_t size = file->second.cached.size();
    const storage::FileFacts facts{size, node, static_cast<std::int64_t>(file->second.modified)};
    entries.push_back({name, false, facts});
  }
  return entries;
}

void DiskState::apply(Content& content, const Change& change) {
  if (change.resizes) {
    content.resize(change.offset);
  } else {
    content.write(change.offset, change.bytes);
  }
}

void DiskState::write(NodeId file, std::uint64_t offset, ByteView bytes) {
  FileState& state = at(file);
  Change change{sequence_++, false, offset + bytes.size() > state.cached.size(), offset, Bytes(bytes.begin(), bytes.end())};
  state.modified = change.sequence;
  apply(state.cached, change);
  state.unsynced.push_back(std::move(change));
}

void DiskState::resize(NodeId file, std::uint64_t size) {
  FileState& state = at(file);
  Change change{sequence_++, true, true, size, {}};
  state.modified = change.sequence;
  apply(state.cached, change);
  state.unsynced.push_back(std::move(change));
}

void DiskState::flip(NodeId file, std::uint64_t offset, unsigned bit) {
  FileState& state = at(file);
  if (offset < state.cached.size()) state.cached.flip(offset, bit);
  if (offset < state.durable.size()) state.durable.flip(offset, bit);
}

void DiskState::sync(NodeId file, Mark mark) {
  FileState& state = at(file);
  auto covered = [mark](const Change& change) { return change.sequence < mark; };
  const auto end = std::find_if_not(state.unsynced.begin(), state.unsynced.end(), covered);
  for (auto change = state.unsynced.begin(); change != end; ++change) apply(state.durable, *change);
  state.unsynced.erase(state.unsynced.begin(), end);
  journaled_ = std::max(journaled_, mark);
}

// The other half of a rename comes with what removes the old name.
void DiskState::settle_names(DirectoryState& directory, Mark mark) {
  auto covered = [mark](const NameChange& change) { return change.sequence < mark; };
  const auto end = std::find_if_not(directory.unsynced.begin(), directory.unsynced.end(), covered);
  const std::vector<NameChange> settled(directory.unsynced.begin(), end);
  directory.unsynced.erase(directory.unsynced.begin(), end);
  for (const NameChange& change : settled) {
    const auto target = directories_.find(change.moved_to);
    if (target != directories_.end()) settle_names(target->second, change.sequence + 1);
    apply(directory.durable, change);
  }
}

Result<void> DiskState::sync_directory(const std::string& path, Mark mark) {
  const Result<NodeId> found = directory(path);
  if (!found) return found.error();
  settle_names(directories_.at(*found), mark);
  journaled_ = std::max(journaled_, mark);
  collect();
  return {};
}

void DiskState::fail_sync(NodeId file, Mark mark, bool reverts, Random& random) {
  FileState& state = at(file);
  auto covered = [mark](const Change& change) { return change.sequence < mark; };
  const auto end = std::find_if_not(state.unsynced.begin(), state.unsynced.end(), covered);
  for (auto change = state.unsynced.begin(); change != end; ++change) {
    if (random.chance(1, 2)) apply_torn(state.durable, *change, random);
  }
  state.unsynced.erase(state.unsynced.begin(), end);
  state.stale_cache = true;
  if (reverts) evict(file);
}

void DiskState::evict(NodeId file) {
  FileState& state = at(file);
  if (!state.stale_cache) return;
  state.cached = state.durable;
  for (const Change& change : state.unsynced) apply(state.cached, change);
  state.stale_cache = false;
}

void DiskState::drop(NodeId file) {
  FileState& state = at(file);
  CCR_ASSERT(state.holders > 0);
  if (--state.holders == 0 && !reachable().contains(file)) files_.erase(file);  // its space is free again
}

std::uint64_t DiskState::used_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [node, file] : files_) sum += (file.cached.size() + block_bytes - 1) / block_bytes * block_bytes;
  return sum;
}

std::uint64_t DiskState::unsynced() const {
  std::uint64_t sum = 0;
  for (const auto& [node, file] : files_) sum += file.unsynced.size();
  for (const auto& [node, directory] : directories_) sum += directory.unsynced.size();
  return sum;
}

bool DiskState::unsynced(NodeId file, Mark mark) const {
  const FileState& state = at(file);
  return !state.unsynced.empty() && state.unsynced.front().sequence < mark;
}

bool DiskState::unsynced(const std::string& path, Mark mark) const {
  const Result<NodeId> found = directory(path);
  if (!found) return false;
  const DirectoryState& state = directories_.at(*found);
  return !state.unsynced.empty() && state.unsynced.front().sequence < mark;
}

// By a name, cached, durable or possible after a crash.
std::set<NodeId> DiskState::reachable() const {
  std::set<NodeId> named{root};
  for (const auto& [node, directory] : directories_) {
    for (const auto& [name, target] : directory.cached) named.insert(target);
    for (const auto& [name, target] : directory.durable) named.insert(target);
    for (const NameChange& change : directory.unsynced) named.insert(change.node);
  }
  return named;
}

// Forgets what no name and no handle can reach.
void DiskState::collect() {
  const std::set<NodeId> named = reachable();
  for (auto file = files_.begin(); file != files_.end();) {
    const bool keep = file->second.holders > 0 || named.contains(file->first);
    file = keep ? std::next(file) : files_.erase(file);
  }
  for (auto found = directories_.begin(); found != directories_.end();) {
    found = named.contains(found->first) ? std::next(found) : directories_.erase(found);
  }
}

}  // namespace ccr::sim
