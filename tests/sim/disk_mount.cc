#include "tests/sim/disk_mount.h"

namespace ccr::sim {
namespace {

using Session = SimDisk::Session;
using Operation = SimDisk::Operation;

Error disk_severed() { return {ErrorKind::stopped, "the node of this disk has died", ""}; }

// The session may be severed at any moment but not go away: the mount and its files share it.
Task<void> run(std::shared_ptr<Session> session, Operation& operation) {
  if (session->disk != nullptr) session->disk->begin(session, operation);
  co_await operation.wait.until_completed(Wait::Stop::afterwards);
  if (session->disk == nullptr) operation.error = disk_severed();
}

class MountedFile final : public storage::File {
 public:
  MountedFile(std::shared_ptr<Session> session, NodeId file, std::string path, bool writable)
      : session_(std::move(session)), file_(file), path_(std::move(path)), writable_(writable) {}
  ~MountedFile() override {
    if (session_->disk != nullptr) session_->disk->drop(file_);
  }

  Task<Result<std::size_t>> read_at(std::uint64_t offset, ByteSpan into) override {
    Operation operation(*session_, DiskAction::read, path_);
    operation.file = file_;
    operation.offset = offset;
    operation.into = into;
    co_await run(session_, operation);
    if (operation.error) co_return *operation.error;
    co_return static_cast<std::size_t>(operation.number);
  }

  Task<Result<void>> write_at(std::uint64_t offset, ByteView from) override {
    CCR_ASSERT(writable_);
    Operation operation(*session_, DiskAction::write, path_);
    operation.file = file_;
    operation.offset = offset;
    operation.from = from;
    co_await run(session_, operation);
    if (operation.error) co_return *operation.error;
    co_return Result<void>();
  }

  Task<Result<void>> sync() override {
    Operation operation(*session_, DiskAction::sync, path_);
    operation.file = file_;
    co_await run(session_, operation);
    if (operation.error) co_return *operation.error;
    co_return Result<void>();
  }

  Task<Result<void>> truncate(std::uint64_t size) override { return resize(size, false); }
  Task<Result<void>> allocate(std::uint64_t size) override { return resize(size, true); }

  Task<Result<std::uint64_t>> size() override {
    Operation operation(*session_, DiskAction::size, path_);
    operation.file = file_;
    co_await run(session_, operation);
    if (operation.error) co_return *operation.error;
    co_return operation.number;
  }

 private:
  Task<Result<void>> resize(std::uint64_t size, bool allocates) {
    CCR_ASSERT(writable_);
    Operation operation(*session_, DiskAction::resize, path_);
    operation.file = file_;
    operation.offset = size;
    operation.allocates = allocates;
    co_await run(session_, operation);
    if (operation.error) co_return *operation.error;
    co_return Result<void>();
  }

  std::shared_ptr<Session> session_;
  NodeId file_;
  std::string path_;
  bool writable_;
};

}  // namespace

MountedDisk::~MountedDisk() {
  if (session_->disk != nullptr) session_->disk->end_session(*session_);
}

Task<Result<std::unique_ptr<storage::File>>> MountedDisk::open(std::string path, storage::OpenMode mode) {
  Operation operation(*session_, DiskAction::open, path);
  operation.mode = mode;
  co_await run(session_, operation);
  if (operation.error) co_return *operation.error;
  const bool writable = mode != storage::OpenMode::read;
  std::unique_ptr<storage::File> file = std::make_unique<MountedFile>(session_, operation.number, path, writable);
  co_return file;
}

Task<Result<void>> MountedDisk::simple(DiskAction action, std::string path) {
  Operation operation(*session_, action, std::move(path));
  co_await run(session_, operation);
  if (operation.error) co_return *operation.error;
  co_return Result<void>();
}

Task<Result<void>> MountedDisk::make_directories(std::string path) { return simple(DiskAction::make_directories, std::move(path)); }
Task<Result<void>> MountedDisk::sync_directory(std::string path) { return simple(DiskAction::sync_directory, std::move(path)); }
Task<Result<void>> MountedDisk::remove(std::string path) { return simple(DiskAction::remove, std::move(path)); }

Task<Result<void>> MountedDisk::rename(std::string from, std::string to) {
  Operation operation(*session_, DiskAction::rename, std::move(from));
  operation.path_to = std::move(to);
  co_await run(session_, operation);
  if (operation.error) co_return *operation.error;
  if (session_->disk == nullptr) co_return Result<void>();
  auto moved = session_->disk->access().extract(operation.path);
  session_->disk->access().erase(operation.path_to);
  if (!moved.empty()) {
    moved.key() = operation.path_to;
    session_->disk->access().insert(std::move(moved));
  }
  co_return Result<void>();
}

Task<Result<storage::FileAccess>> MountedDisk::access(std::string path) {
  if (session_->disk == nullptr) co_return storage::FileAccess{};
  const auto found = session_->disk->access().find(path);
  co_return found == session_->disk->access().end() ? storage::FileAccess{} : found->second;
}

Task<Result<void>> MountedDisk::give_access(std::string path, storage::FileAccess access) {
  if (session_->disk == nullptr) co_return Result<void>();
  if (!session_->disk->access_error().empty()) co_return Error{ErrorKind::refused, session_->disk->access_error(), ""};
  session_->disk->access()[path] = std::move(access);
  co_return Result<void>();
}

Task<Result<std::vector<storage::DirectoryEntry>>> MountedDisk::list(std::string path) {
  Operation operation(*session_, DiskAction::list, std::move(path));
  co_await run(session_, operation);
  if (operation.error) co_return *operation.error;
  co_return std::move(operation.entries);
}

Task<Result<storage::DiskSpace>> MountedDisk::space(std::string path) {
  Operation operation(*session_, DiskAction::space, std::move(path));
  co_await run(session_, operation);
  if (operation.error) co_return *operation.error;
  co_return operation.space;
}

}  // namespace ccr::sim
