#include "tests/lying_disk/lying_disk.h"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>

namespace ccr::lying {

// --- every operation's way through the disk ---

int LyingDisk::pass(DiskAction action, std::uint64_t life, const std::function<int()>& perform, const std::function<void()>& fail) {
  if (off_ || life != life_) return -EIO;
  ++operations_;
  if (comes_to_the_cut(action)) {
    power_off(perform);
    return -EIO;
  }
  const int number = planned(action);
  if (number == 0) return perform();
  ++failures_;
  if (fail) fail();
  return -number;
}

bool LyingDisk::comes_to_the_cut(DiskAction action) {
  if (!cut_ || (cut_->action != DiskAction::any && cut_->action != action)) return false;
  return --cut_->after_operations == 0;
}

int LyingDisk::planned(DiskAction action) {
  for (Failing& failing : failing_) {
    if ((failing.action != DiskAction::any && failing.action != action) || failing.times == 0) continue;
    if (failing.skip > 0) {
      --failing.skip;
      continue;
    }
    --failing.times;
    return failing.number;
  }
  return 0;
}

void LyingDisk::change(Change change, std::uint64_t bytes) {
  change(state_);
  if (!recording_) return;
  recorded_bytes_ += bytes;
  recording_ = recorded_bytes_ <= recorded_bytes_max;
  if (recording_) changes_.push_back(std::move(change));
}

// The process first: whatever it is answered from here on, it tells nobody.
void LyingDisk::power_off(const std::function<int()>& perform) {
  const Cut cut = *cut_;
  cut_.reset();
  if (cut.process > 0) ::kill(cut.process, SIGKILL);
  Random random(cut.seed);
  if (perform && random.chance(1, 2)) perform();
  const std::uint64_t seed = random.next();
  auto crash = [style = cut.style, seed](DiskState& state) {
    Random chance(seed);
    state.crash(style, chance);
  };
  change(crash);
  sockets_.clear();
  failing_.clear();
  off_ = true;
  ++cuts_;
}

// --- files ---

std::optional<Seen> LyingDisk::look(const std::string& path) const {
  if (sockets_.contains(path)) return Seen{std::hash<std::string>()(path), false, true};
  if (const Result<NodeId> directory = state_.directory(path)) return Seen{*directory, true};
  const Result<NodeId> file = state_.find(path);
  if (!file) return std::nullopt;
  return Seen{*file, false, false, state_.cached(*file).size(), state_.modified(*file)};
}

std::optional<Seen> LyingDisk::look(const Handle& handle) const {
  if (!handle.path.empty()) return look(handle.path);
  if (handle.life != life_ || off_) return std::nullopt;
  return Seen{handle.node, false, false, state_.cached(handle.node).size(), state_.modified(handle.node)};
}

int LyingDisk::errno_of_open(const std::string& path, int flags) const {
  const std::optional<Seen> seen = look(path);
  if (seen) return seen->directory ? -EISDIR : seen->socket ? -ENXIO : (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0 ? -EEXIST : 0;
  const std::size_t slash = path.find_last_of('/');
  return (flags & O_CREAT) != 0 && state_.directory(path.substr(0, slash)).ok() ? 0 : -ENOENT;
}

int LyingDisk::open(const std::string& path, int flags, Handle& handle) {
  auto perform = [&] {
    if (const int number = errno_of_open(path, flags); number != 0) return number;
    auto opened = [path](DiskState& state) { state.hold(*state.open(path, storage::OpenMode::create)); };
    change(opened);
    handle = {life_, *state_.find(path), ""};
    auto emptied = [node = handle.node](DiskState& state) { state.resize(node, 0); };
    if ((flags & O_TRUNC) != 0 && state_.cached(handle.node).size() > 0) change(emptied);
    return 0;
  };
  return pass(DiskAction::open, life_, perform);
}

void LyingDisk::close(const Handle& handle) {
  if (handle.life != life_ || off_ || !handle.path.empty()) return;
  auto dropped = [node = handle.node](DiskState& state) { state.drop(node); };
  change(dropped);
}

int LyingDisk::read(const Handle& handle, std::uint64_t offset, ByteSpan into) {
  auto perform = [&] { return static_cast<int>(state_.cached(handle.node).read(offset, into)); };
  return pass(DiskAction::read, handle.life, perform);
}

bool LyingDisk::fits(NodeId node, std::uint64_t size) const {
  const std::uint64_t present = state_.cached(node).size();
  return size <= present || size - present <= free_bytes();
}

int LyingDisk::write(const Handle& handle, std::uint64_t offset, ByteView from) {
  auto put = [&](std::size_t count) {
    auto written = [node = handle.node, offset, bytes = Bytes(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count))](
                       DiskState& state) { state.write(node, offset, bytes); };
    change(written, count);
  };
  auto perform = [&] {
    if (!fits(handle.node, offset + from.size())) return -ENOSPC;
    put(from.size());
    return static_cast<int>(from.size());
  };
  auto fail = [&] { put(random_.below(from.size() + 1)); };
  return pass(DiskAction::write, handle.life, perform, fail);
}

int LyingDisk::sync(const Handle& handle) {
  auto perform = [&] {
    auto synced = [node = handle.node](DiskState& state) { state.sync(node, state.mark()); };
    change(synced);
    return 0;
  };
  auto fail = [&] {
    auto lost = [node = handle.node, seed = random_.next()](DiskState& state) {
      Random chance(seed);
      state.fail_sync(node, state.mark(), false, chance);
    };
    change(lost);
  };
  return pass(DiskAction::sync, handle.life, perform, fail);
}

int LyingDisk::resize(const Handle& handle, std::uint64_t size) {
  auto perform = [&] {
    if (!fits(handle.node, size)) return -ENOSPC;
    auto resized = [node = handle.node, size](DiskState& state) { state.resize(node, size); };
    change(resized);
    return 0;
  };
  return pass(DiskAction::resize, handle.life, perform);
}

int LyingDisk::allocate(const Handle& handle, std::uint64_t size) {
  if (off_ || handle.life != life_) return -EIO;
  return size <= state_.cached(handle.node).size() ? 0 : resize(handle, size);
}

// --- directories ---

int LyingDisk::open_directory(const std::string& path, Handle& handle) {
  if (!state_.directory(path)) return -ENOENT;
  handle = {life_, 0, path};
  return 0;
}

int LyingDisk::list(const Handle& handle, std::vector<storage::DirectoryEntry>& entries) {
  auto perform = [&] {
    Result<std::vector<storage::DirectoryEntry>> found = state_.list(handle.path);
    if (!found) return -ENOENT;
    entries = std::move(*found);
    const std::string parent = handle.path == "/" ? "/" : handle.path + "/";
    for (const std::string& socket : sockets_) {
      const bool here = socket.starts_with(parent) && socket.find('/', parent.size()) == std::string::npos;
      if (here) entries.push_back({socket.substr(parent.size()), false});
    }
    return 0;
  };
  return pass(DiskAction::list, handle.life, perform);
}

int LyingDisk::sync_directory(const Handle& handle) {
  auto perform = [&] {
    if (!state_.directory(handle.path)) return -ENOENT;
    auto synced = [path = handle.path](DiskState& state) { CCR_ASSERT(state.sync_directory(path, state.mark()).ok()); };
    change(synced);
    return 0;
  };
  return pass(DiskAction::sync_directory, handle.life, perform);
}

int LyingDisk::make_directory(const std::string& path) {
  auto perform = [&] {
    if (look(path)) return -EEXIST;
    auto made = [path](DiskState& state) { CCR_ASSERT(state.make_directories(path).ok()); };
    change(made);
    return 0;
  };
  return pass(DiskAction::make_directories, life_, perform);
}

int LyingDisk::make_socket(const std::string& path) {
  if (off_) return -EIO;
  if (look(path)) return -EEXIST;
  sockets_.insert(path);
  return 0;
}

int LyingDisk::rename(const std::string& from, const std::string& to, bool replaces) {
  auto perform = [&] {
    const std::optional<Seen> source = look(from), target = look(to);
    if (!source) return -ENOENT;
    if (source->socket || (target && target->socket)) return -EXDEV;
    if (target && (!replaces || source->directory || target->directory)) return -EEXIST;
    auto renamed = [from, to](DiskState& state) { CCR_ASSERT(state.rename(from, to).ok()); };
    change(renamed);
    return 0;
  };
  return pass(DiskAction::rename, life_, perform);
}

int LyingDisk::errno_of_remove(const std::string& path) const {
  const std::optional<Seen> seen = look(path);
  if (!seen) return -ENOENT;
  return seen->directory && !state_.list(path)->empty() ? -ENOTEMPTY : 0;
}

int LyingDisk::remove(const std::string& path) {
  auto perform = [&] {
    if (sockets_.erase(path) > 0) return 0;
    if (const int number = errno_of_remove(path); number != 0) return number;
    auto removed = [path](DiskState& state) { CCR_ASSERT(state.remove(path).ok()); };
    change(removed);
    return 0;
  };
  return pass(DiskAction::remove, life_, perform);
}

// --- what a test does ---

void LyingDisk::cut(Cut cut) {
  cut_ = cut;
  if (cut.after_operations == 0) power_off({});
}

void LyingDisk::remount() {
  CCR_ASSERT(!cut_ || !off_);
  calm();
  ++life_;
  off_ = false;
}

void LyingDisk::calm() {
  cut_.reset();
  failing_.clear();
}

void LyingDisk::erase() {
  state_ = DiskState();
  sockets_.clear();
  recording_ = false;
  remount();
}

void LyingDisk::record() {
  begun_ = state_;
  changes_.clear();
  notes_.clear();
  recorded_bytes_ = 0;
  recording_ = true;
}

bool LyingDisk::open_recorded(std::uint64_t changes, CrashStyle style, std::uint64_t seed) {
  recording_ = false;
  if (changes > changes_.size()) return false;
  DiskState state = begun_;
  for (std::uint64_t i = 0; i < changes; ++i) changes_[i](state);
  Random random(seed);
  state.crash(style, random);
  state_ = std::move(state);
  sockets_.clear();
  ++cuts_;
  remount();
  return true;
}

std::string LyingDisk::facts() const {
  std::string text = "operations=" + std::to_string(operations_) + " cuts=" + std::to_string(cuts_) + " failures=" + std::to_string(failures_) +
                     " off=" + std::to_string(off_) + " unsynced=" + std::to_string(state_.unsynced()) +
                     " recorded=" + std::to_string(changes_.size());
  for (const Note& note : notes_) text += " " + std::to_string(note.moment) + ":" + std::to_string(note.number);
  return text;
}

}  // namespace ccr::lying
