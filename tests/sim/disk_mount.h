// The mount of a SimDisk: one life's Disk and its Files, each call one Operation.
#pragma once

#include <optional>

#include "tests/sim/sim_disk.h"

namespace ccr::sim {

struct SimDisk::Session {
  Session(World& world, SimDisk& owner) : gate(world), disk(&owner) {}
  Gate gate;
  SimDisk* disk;                      // null when severed
  std::vector<Operation*> in_flight;  // in the order in which they began
};

// One call, in the frame of the coroutine that made it; the arguments and the outcome are those its action needs.
struct SimDisk::Operation {
  Operation(Session& session, DiskAction the_action, std::string the_path)
      : action(the_action), path(std::move(the_path)), wait(session.gate) {}

  DiskAction action;
  std::string path;
  std::string path_to;  // rename
  NodeId file = 0;
  std::uint64_t offset = 0;  // or the new size
  bool allocates = false;    // a resize that never shrinks
  bool cut_short = false;    // the machine died in it
  storage::OpenMode mode = storage::OpenMode::read;
  ByteView from;
  ByteSpan into;
  Mark mark = 0;  // of a sync, when it began

  SimDisk::Injected injected = SimDisk::Injected::none;
  ErrorKind injected_error = ErrorKind::io;
  std::optional<Error> error;
  std::uint64_t number = 0;  // bytes read, a size, a node
  storage::DiskSpace space;
  std::vector<storage::DirectoryEntry> entries;

  EventId event;
  Wait wait;
};

class MountedDisk final : public storage::Disk {
 public:
  explicit MountedDisk(std::shared_ptr<SimDisk::Session> session) : session_(std::move(session)) {}
  ~MountedDisk() override;

  Task<Result<std::unique_ptr<storage::File>>> open(std::string path, storage::OpenMode mode) override;
  Task<Result<void>> make_directories(std::string path) override;
  Task<Result<void>> sync_directory(std::string path) override;
  Task<Result<void>> rename(std::string from, std::string to) override;
  Task<Result<void>> remove(std::string path) override;
  Task<Result<std::vector<storage::DirectoryEntry>>> list(std::string path) override;
  Task<Result<storage::DiskSpace>> space(std::string path) override;
  Task<Result<storage::FileAccess>> access(std::string path) override;
  Task<Result<void>> give_access(std::string path, storage::FileAccess access) override;
  std::string_view name() const override { return "simulated"; }

 private:
  Task<Result<void>> simple(DiskAction action, std::string path);

  std::shared_ptr<SimDisk::Session> session_;
};

}  // namespace ccr::sim
