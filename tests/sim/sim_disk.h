// SimDisk is one machine's disk: a DiskState that outlives the node, with latency, faults and crashes.
//
// mount() gives one life of a node its Disk; a new mount needs the old one severed or destroyed. Operations of one mount take
// virtual time and take effect when they complete, so concurrent ones complete in any order. A sync covers what had completed when
// it began. A directory that make_directories() made is durable at completion, as on the product's disks. crash() settles by chance
// what was in flight and un-synced, severs the mount, and leaves what the next mount finds: every pending and later operation of
// the severed one fails at once with ErrorKind::stopped and changes nothing.
//
// Faults come by chance (DiskOptions, parts per million of the operations they apply to) or by plan. A failed write wrote any
// part; a failed sync lost any part, and the cache hides it until the file is opened again (sync_failure_reverts: at once).
// Lifetime: outlives its mounts; a mount outlives its files. Threads: one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/disk.h"
#include "tests/sim/disk_state.h"
#include "tests/sim/sim_wait.h"

namespace ccr::sim {

struct DiskOptions {
  // Latency is uniform between min and max, plus the transfer at bytes_per_second.
  Duration read_min = std::chrono::microseconds(20), read_max = std::chrono::microseconds(200);
  Duration write_min = std::chrono::microseconds(10), write_max = std::chrono::microseconds(100);
  Duration sync_min = std::chrono::microseconds(200), sync_max = std::chrono::microseconds(4000);
  std::uint64_t bytes_per_second = 1'000'000'000;
  std::uint64_t capacity_bytes = GiB;
  std::uint32_t read_error_ppm = 0, write_error_ppm = 0, sync_error_ppm = 0, other_error_ppm = 0;
  std::uint32_t lost_write_ppm = 0, misdirected_write_ppm = 0;
  std::uint32_t stall_ppm = 0;
  Duration stall_max = std::chrono::seconds(2);
  bool sync_failure_reverts = false;
  // For as long as they are set. read_only: the kernel gave up the file system after an error of the device, so what was written before and not
  // synced may be lost, as after a failed sync. no_descriptors: what opens a file or a directory fails, what is open goes on.
  bool read_only = false, no_descriptors = false;
};

enum class DiskAction { open, read, write, sync, resize, size, make_directories, sync_directory, rename, remove, list, space, any };
const char* name_of(DiskAction action) noexcept;

// A write that ends well and was not done, or was done to another block of the file.
enum class DiskLie { none, lost, misdirected };

// Fails the operations of one kind on paths that contain `path_part`: the first `skip` of them pass, the next `times` fail, or, of writes, lie.
struct DiskPlan {
  DiskAction action = DiskAction::any;
  std::string path_part;
  std::uint64_t skip = 0;
  std::uint64_t times = 1;
  ErrorKind error = ErrorKind::io;
  DiskLie lie = DiskLie::none;
};

class SimDisk {
 public:
  SimDisk(World& world, std::string name, DiskOptions options = {});
  ~SimDisk();
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  std::unique_ptr<storage::Disk> mount();
  void crash(CrashStyle style);
  void sever() { crash({Damage::process_only, Ordering::ordered}); }

  void pause();  // completions are kept back: the node is frozen
  void resume();

  void plan(DiskPlan plan) { plans_.push_back(std::move(plan)); }
  void clear_plans() { plans_.clear(); }
  void stall(Duration duration);
  // Flips one bit of a file at rest, at a place drawn by chance or at `offset`; false when there is no such byte.
  bool rot(const std::string& path);
  bool rot(const std::string& path, std::uint64_t offset);
  // What somebody does to a file beside the node; false where there is no such file. An open handle keeps a removed one.
  bool overwrite(const std::string& path, std::uint64_t offset, ByteView bytes);
  bool cut(const std::string& path, std::uint64_t size);
  bool remove(const std::string& path) { return state_.remove(path).ok(); }


  DiskOptions& options() noexcept { return options_; }
  const DiskState& state() const noexcept { return state_; }
  void restore(DiskState state);  // a backup, another machine's disk, an empty one; nothing may be mounted
  // Who may use which file, by its present name; kept through crashes. What a test does not set is not known.
  std::map<std::string, storage::FileAccess>& access() noexcept { return access_; }
  void fail_access(std::string why) { access_error_ = std::move(why); }  // of every give_access(); empty: they pass
  const std::string& access_error() const noexcept { return access_error_; }
  std::uint64_t operations() const noexcept { return operations_; }
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }

  struct Operation;  // one call of a mount; sim_disk.cc and disk_mount.cc
  struct Session;

  // By the mount's calls only. False: the session is severed, the outcome is set and the wait completes by itself.
  void begin(const std::shared_ptr<Session>& session, Operation& operation);
  void end_session(Session& session);  // its Disk was destroyed
  void drop(NodeId file) { state_.drop(file); }

 private:
  enum class Injected { none, error, lost, misdirected };

  Injected draw_fault(Operation& operation);
  Injected planned(Operation& operation);
  bool refused(Operation& operation);
  bool finds_read_only(Operation& operation);
  bool needs_descriptor(const Operation& operation) const;
  Duration draw_latency(const Operation& operation);
  void schedule(Operation& operation, Instant when);
  void due(Operation& operation);
  void finish(Operation& operation);
  void perform(Operation& operation);
  Result<void> perform_make_directories(Operation& operation);
  void perform_write(Operation& operation);
  void perform_resize(Operation& operation);
  void perform_failed(Operation& operation);
  bool fits(NodeId file, std::uint64_t size) const;
  void settle_in_flight(CrashStyle style);

  World& world_;
  std::string name_;
  DiskOptions options_;
  DiskState state_;
  Random random_;
  std::vector<DiskPlan> plans_;
  std::shared_ptr<Session> session_;  // of the present mount; its files share it
  Instant stalled_until_;
  std::map<std::string, storage::FileAccess> access_;
  std::string access_error_;
  std::uint64_t operations_ = 0;
  std::uint64_t bytes_read_ = 0;
};

}  // namespace ccr::sim
