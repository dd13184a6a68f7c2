#include "tests/sim/sim_disk.h"

#include <algorithm>
#include <cerrno>

#include "base/digest.h"
#include "storage/posix_error.h"
#include "tests/crash_states.h"
#include "tests/sim/disk_mount.h"

namespace ccr::sim {
namespace {

constexpr std::uint32_t million = 1'000'000;
constexpr std::uint64_t misdirected_step = 4 * KiB;  // a misdirected write lands on another block

}  // namespace

const char* name_of(DiskAction action) noexcept {
  switch (action) {
    case DiskAction::open:
      return "disk.open";
    case DiskAction::read:
      return "disk.read";
    case DiskAction::write:
      return "disk.write";
    case DiskAction::sync:
      return "disk.sync";
    case DiskAction::resize:
      return "disk.resize";
    case DiskAction::size:
      return "disk.size";
    case DiskAction::make_directories:
      return "disk.make_directories";
    case DiskAction::sync_directory:
      return "disk.sync_directory";
    case DiskAction::rename:
      return "disk.rename";
    case DiskAction::remove:
      return "disk.remove";
    case DiskAction::list:
      return "disk.list";
    case DiskAction::space:
      return "disk.space";
    case DiskAction::any:
      break;
  }
  return "disk.any";
}

SimDisk::SimDisk(World& world, std::string name, DiskOptions options)
    : world_(world),
      name_(std::move(name)),
      options_(options),
      random_(world.random("disk " + name_)),
      stalled_until_(world.now()) {}

SimDisk::~SimDisk() {
  if (session_ != nullptr) sever();
}

std::unique_ptr<storage::Disk> SimDisk::mount() {
  CCR_ASSERT(session_ == nullptr);
  session_ = std::make_shared<Session>(world_, *this);
  return std::make_unique<MountedDisk>(session_);
}

void SimDisk::end_session(Session& session) {
  CCR_ASSERT(session_.get() == &session);
  CCR_ASSERT(session.in_flight.empty());
  sever();
}

void SimDisk::pause() {
  if (session_ != nullptr) session_->gate.close();
}

void SimDisk::resume() {
  if (session_ != nullptr) session_->gate.open();
}

void SimDisk::restore(DiskState state) {
  CCR_ASSERT(session_ == nullptr);
  state_ = std::move(state);
}

void SimDisk::stall(Duration duration) {
  world_.count(Fault::disk_stall, static_cast<std::uint64_t>(duration.count()));
  stalled_until_ = std::max(stalled_until_, world_.now() + duration);
}

bool SimDisk::rot(const std::string& path) {
  const Result<NodeId> file = state_.find(path);
  if (!file || state_.cached(*file).size() == 0) return false;
  return rot(path, random_.below(state_.cached(*file).size()));
}

bool SimDisk::rot(const std::string& path, std::uint64_t offset) {
  const Result<NodeId> file = state_.find(path);
  if (!file || offset >= state_.cached(*file).size()) return false;
  state_.flip(*file, offset, static_cast<unsigned>(random_.below(8)));
  world_.count(Fault::disk_rot, *file, offset);
  return true;
}

bool SimDisk::overwrite(const std::string& path, std::uint64_t offset, ByteView bytes) {
  const Result<NodeId> file = state_.find(path);
  if (file.ok()) state_.write(*file, offset, bytes);
  return file.ok();
}

bool SimDisk::cut(const std::string& path, std::uint64_t size) {
  const Result<NodeId> file = state_.find(path);
  if (file.ok()) state_.resize(*file, size);
  return file.ok();
}

// --- one operation: begin, wait its latency, finish ---

void SimDisk::begin(const std::shared_ptr<Session>& session, Operation& operation) {
  CCR_ASSERT(session == session_);
  ++operations_;
  operation.mark = state_.mark();
  operation.injected = draw_fault(operation);
  session->in_flight.push_back(&operation);
  schedule(operation, world_.now() + draw_latency(operation));
}

void SimDisk::schedule(Operation& operation, Instant when) {
  auto on_due = [this, &operation] { due(operation); };
  operation.event = world_.at(when, name_of(operation.action), on_due);
}

void SimDisk::due(Operation& operation) {
  if (world_.now() < stalled_until_) {
    const Duration after = Duration(random_.below(1'000'000));  // the queue drains in any order
    return schedule(operation, stalled_until_ + after);
  }
  std::vector<Operation*>& in_flight = session_->in_flight;
  in_flight.erase(std::find(in_flight.begin(), in_flight.end(), &operation));
  finish(operation);
  operation.wait.complete();
}

Duration SimDisk::draw_latency(const Operation& operation) {
  Duration low = options_.write_min, high = options_.write_max;
  if (operation.action == DiskAction::read) low = options_.read_min, high = options_.read_max;
  if (operation.action == DiskAction::sync || operation.action == DiskAction::sync_directory) {
    low = options_.sync_min, high = options_.sync_max;
  }
  const std::uint64_t bytes = operation.from.size() + operation.into.size();
  const Duration transfer(bytes * 1'000'000'000 / options_.bytes_per_second);
  return transfer + Duration(random_.between(low.count(), high.count()));
}

SimDisk::Injected SimDisk::planned(Operation& operation) {
  for (DiskPlan& plan : plans_) {
    const bool same = plan.action == DiskAction::any || plan.action == operation.action;
    if (!same || plan.times == 0 || operation.path.find(plan.path_part) == std::string::npos) continue;
    if (plan.skip > 0) {
      --plan.skip;
      continue;
    }
    --plan.times;
    operation.injected_error = plan.error;
    if (operation.action != DiskAction::write || plan.lie == DiskLie::none) return Injected::error;
    return plan.lie == DiskLie::lost ? Injected::lost : Injected::misdirected;
  }
  return Injected::none;
}

SimDisk::Injected SimDisk::draw_fault(Operation& operation) {
  if (options_.stall_ppm > 0 && random_.chance(options_.stall_ppm, million))
    stall(Duration(random_.below(options_.stall_max.count() + 1)));
  const Injected as_planned = planned(operation);
  if (as_planned != Injected::none) return as_planned;
  auto drawn = [this](std::uint32_t ppm) { return ppm > 0 && random_.chance(ppm, million); };
  switch (operation.action) {
    case DiskAction::read:
      return drawn(options_.read_error_ppm) ? Injected::error : Injected::none;
    case DiskAction::sync:
    case DiskAction::sync_directory:
      return drawn(options_.sync_error_ppm) ? Injected::error : Injected::none;
    case DiskAction::write:
      if (drawn(options_.write_error_ppm)) return Injected::error;
      if (drawn(options_.lost_write_ppm)) return Injected::lost;
      return drawn(options_.misdirected_write_ppm) ? Injected::misdirected : Injected::none;
    default:
      return drawn(options_.other_error_ppm) ? Injected::error : Injected::none;
  }
}

void SimDisk::finish(Operation& operation) {
  if (operation.injected == Injected::error) {
    perform_failed(operation);
  } else if (!refused(operation)) {
    perform(operation);
  }
  if (operation.error) operation.error->message = operation.path + ": " + operation.error->message;
  const std::uint64_t where = operation.file != 0 ? operation.file : digest64(as_bytes(operation.path));
  world_.note(operation.error ? "disk.failed" : "disk.ok", where, operation.offset ^ operation.number);
}

// What a system says that has no descriptor left, or whose file system turned read-only; nothing is changed then.
bool SimDisk::refused(Operation& operation) {
  if (options_.no_descriptors && needs_descriptor(operation)) {
    world_.count(Fault::no_descriptors, digest64(as_bytes(operation.path)));
    operation.error = storage::posix_error(name_of(operation.action), EMFILE);
    return true;
  }
  if (!options_.read_only || !finds_read_only(operation)) return false;
  world_.count(Fault::disk_read_only, operation.file, digest64(as_bytes(operation.path)));
  operation.error = storage::posix_error(name_of(operation.action), EROFS);
  return true;
}

// A directory that is made is synced under its parent's name, which is opened for that.
bool SimDisk::needs_descriptor(const Operation& operation) const {
  const DiskAction action = operation.action;
  if (action == DiskAction::make_directories) return !state_.directory(operation.path).ok();
  return action == DiskAction::open || action == DiskAction::list || action == DiskAction::sync_directory;
}

bool SimDisk::finds_read_only(Operation& operation) {
  switch (operation.action) {
    case DiskAction::open: return operation.mode != storage::OpenMode::read;
    case DiskAction::make_directories: return !state_.directory(operation.path).ok();
    case DiskAction::write:
    case DiskAction::resize:
    case DiskAction::rename:
    case DiskAction::remove: return true;
    case DiskAction::sync:
      if (!state_.unsynced(operation.file, operation.mark)) return false;
      state_.fail_sync(operation.file, operation.mark, options_.sync_failure_reverts, random_);
      return true;
    case DiskAction::sync_directory: return state_.unsynced(operation.path, operation.mark);
    default: return false;
  }
}

void SimDisk::perform(Operation& operation) {
  auto keep = [&operation](const auto& result) {
    if (!result.ok()) operation.error = result.error();
    return result.ok();
  };
  switch (operation.action) {
    case DiskAction::open: {
      const Result<NodeId> file = state_.open(operation.path, operation.mode);
      if (!keep(file)) return;
      state_.hold(*file);
      state_.evict(*file);
      operation.number = *file;
      return;
    }
    case DiskAction::read:
      operation.number = state_.cached(operation.file).read(operation.offset, operation.into);
      bytes_read_ += operation.number;
      return;
    case DiskAction::write:
      return perform_write(operation);
    case DiskAction::sync:
      return state_.sync(operation.file, operation.mark);
    case DiskAction::resize:
      return perform_resize(operation);
    case DiskAction::size:
      operation.number = state_.cached(operation.file).size();
      return;
    case DiskAction::make_directories:
      keep(perform_make_directories(operation));
      return;
    case DiskAction::sync_directory:
      keep(state_.sync_directory(operation.path, operation.mark));
      return;
    case DiskAction::rename:
      keep(state_.rename(operation.path, operation.path_to));
      return;
    case DiskAction::remove:
      keep(state_.remove(operation.path));
      return;
    case DiskAction::list: {
      Result<std::vector<storage::DirectoryEntry>> entries = state_.list(operation.path);
      if (keep(entries)) operation.entries = std::move(*entries);
      return;
    }
    case DiskAction::space: {
      const std::uint64_t used = std::min(state_.used_bytes(), options_.capacity_bytes);
      operation.space = {options_.capacity_bytes - used, options_.capacity_bytes};
      return;
    }
    case DiskAction::any:
      break;
  }
  CCR_ASSERT(false);
}

// The product's disks sync the parent of each directory that they make, and of none that was there.
Result<void> SimDisk::perform_make_directories(Operation& operation) {
  const Result<std::vector<std::string>> made_in = state_.make_directories(operation.path);
  if (!made_in) return made_in.error();
  if (operation.cut_short) return {};
  for (const std::string& parent : *made_in) CCR_TRY(state_.sync_directory(parent, state_.mark()));
  return {};
}

bool SimDisk::fits(NodeId file, std::uint64_t size) const {
  const std::uint64_t present = state_.cached(file).size();
  return size <= present || state_.used_bytes() + (size - present) <= options_.capacity_bytes;
}

void SimDisk::perform_write(Operation& operation) {
  const std::uint64_t end = operation.offset + operation.from.size();
  if (!fits(operation.file, end)) {
    world_.count(Fault::disk_full, operation.file, end);
    operation.error = Error{ErrorKind::no_space, "no space left on the disk", ""};
    return;
  }
  if (operation.injected == Injected::none) return state_.write(operation.file, operation.offset, operation.from);
  const std::uint64_t size = state_.cached(operation.file).size();
  if (operation.injected == Injected::misdirected && size >= misdirected_step) {
    world_.count(Fault::disk_misdirected_write, operation.file, operation.offset);
    const std::uint64_t block = random_.below(size / misdirected_step);
    state_.write(operation.file, block * misdirected_step, operation.from);
  } else {
    world_.count(Fault::disk_lost_write, operation.file, operation.offset);
  }
  if (end > size) state_.resize(operation.file, std::max(end, state_.cached(operation.file).size()));
}

void SimDisk::perform_resize(Operation& operation) {
  const std::uint64_t present = state_.cached(operation.file).size();
  if (operation.allocates && operation.offset <= present) return;
  if (!fits(operation.file, operation.offset)) {
    world_.count(Fault::disk_full, operation.file, operation.offset);
    operation.error = Error{ErrorKind::no_space, "no space left on the disk", ""};
    return;
  }
  state_.resize(operation.file, operation.offset);
}

void SimDisk::perform_failed(Operation& operation) {
  operation.error = Error{operation.injected_error, std::string("injected ") + name_of(operation.injected_error), ""};
  switch (operation.action) {
    case DiskAction::read:
      return world_.count(Fault::disk_read_error, operation.file, operation.offset);
    case DiskAction::write: {
      world_.count(Fault::disk_write_error, operation.file, operation.offset);
      const std::size_t part = random_.below(operation.from.size() + 1);
      if (part > 0 && fits(operation.file, operation.offset + part)) {
        state_.write(operation.file, operation.offset, operation.from.first(part));
      }
      return;
    }
    case DiskAction::sync:
      world_.count(Fault::disk_sync_error, operation.file);
      return state_.fail_sync(operation.file, operation.mark, options_.sync_failure_reverts, random_);
    case DiskAction::sync_directory:
      return world_.count(Fault::disk_sync_error);
    default:
      return world_.count(Fault::disk_other_error);
  }
}

// --- crash ---

// What was in flight may have reached the disk or not: nobody was told.
void SimDisk::settle_in_flight(CrashStyle style) {
  for (Operation* operation : session_->in_flight) {
    world_.cancel(operation->event);
    const bool changes = operation->action != DiskAction::sync && operation->action != DiskAction::sync_directory;
    const bool sometimes = style.damage == Damage::process_only ? random_.chance(1, 2) : style.damage != Damage::lose_unsynced;
    operation->cut_short = true;
    if (changes && sometimes) finish(*operation);
  }
}

void SimDisk::crash(CrashStyle style) {
  if (style.damage != Damage::process_only) {
    world_.count(Fault::power_cut, static_cast<std::uint64_t>(style.damage));
    ++crash_states.opened;
  }
  if (session_ != nullptr) {
    settle_in_flight(style);
    session_->disk = nullptr;
    session_->in_flight.clear();
    session_->gate.sever();
    session_.reset();
  }
  state_.crash(style, random_);
  stalled_until_ = world_.now();
}

}  // namespace ccr::sim
