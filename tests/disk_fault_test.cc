// What holds when a disk is full, a task is stopped, a file is closed early, the Disk goes away or io_uring is refused.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include <asio/post.hpp>

#include "base/task_group.h"
#include "storage/posix_error.h"
#include "tests/system_disk_fixture.h"

namespace ccr::storage {
namespace {

class SystemDiskFaultTest : public SystemDiskTest {};
INSTANTIATE_TEST_SUITE_P(BackEnd, SystemDiskFaultTest, testing::Values(DiskChoice::io_uring, DiskChoice::threads), back_end_name);

// A file system of its own under `directory`, in a mount namespace of this process, so that nothing stays when the test dies.
class TestMount {
 public:
  TestMount(const std::string& directory, const char* type, const char* options) : directory_(directory) {
    static const bool separate = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    mounted_ = separate && ::mount(type, directory.c_str(), type, 0, options) == 0;
  }
  ~TestMount() {
    if (mounted_) ::umount2(directory_.c_str(), MNT_DETACH);
  }
  TestMount(const TestMount&) = delete;
  TestMount& operator=(const TestMount&) = delete;
  bool mounted() const { return mounted_; }

 private:
  std::string directory_;
  bool mounted_ = false;
};

Bytes content_of(const std::string& path) {
  Bytes bytes(std::filesystem::file_size(path));
  std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

// Lets the executor do what was posted before.
Task<void> next_turn() {
  const Executor executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
}

TEST_P(SystemDiskFaultTest, AFullFileSystemIsNoSpace) {
  const TestDirectory small;
  const TestMount mount(small.path(), "tmpfs", "size=1m");
  if (!mount.mounted()) GTEST_SKIP() << "mounting is not permitted here";
  run([&](Disk& disk) -> Task<void> {
    const std::string path = small.path() + "/a";
    const Bytes content = pattern(2 * MiB, 1);
    const auto file = co_await opened(disk, path, OpenMode::create_new);
    const auto allocated = co_await file->allocate(2 * MiB);
    EXPECT_FALSE(allocated.ok());
    if (!allocated.ok()) {
      EXPECT_EQ(allocated.error().kind, ErrorKind::no_space);
      EXPECT_EQ(allocated.error().message, "allocate " + path + ": No space left on device (ENOSPC)");
      EXPECT_FALSE(allocated.error().hint.empty());
    }
    const auto written = co_await file->write_at(0, content);
    EXPECT_FALSE(written.ok());
    if (!written.ok()) {
      EXPECT_EQ(written.error().kind, ErrorKind::no_space);
      EXPECT_EQ(written.error().message, "write " + path + " at 1048576: No space left on device (ENOSPC)");
    }
    const auto space = co_await disk.space(small.path());
    EXPECT_EQ(space->free_bytes, 0u);
    EXPECT_EQ(space->total_bytes, 1 * MiB);
  });
}

TEST_P(SystemDiskFaultTest, AllocatedSpaceIsThereWhenTheFileSystemIsFull) {
  const TestDirectory small;
  const TestMount mount(small.path(), "tmpfs", "size=1m");
  if (!mount.mounted()) GTEST_SKIP() << "mounting is not permitted here";
  run([&](Disk& disk) -> Task<void> {
    const Bytes content = pattern(512 * KiB, 1);
    const auto reserved = co_await opened(disk, small.path() + "/reserved", OpenMode::create_new);
    EXPECT_TRUE((co_await reserved->allocate(512 * KiB)).ok());
    const auto other = co_await opened(disk, small.path() + "/other", OpenMode::create_new);
    EXPECT_TRUE((co_await other->write_at(0, content)).ok());
    EXPECT_FALSE((co_await other->write_at(512 * KiB, content)).ok());
    EXPECT_TRUE((co_await reserved->write_at(0, content)).ok());
    EXPECT_TRUE((co_await reserved->sync()).ok());
  });
}

TEST_P(SystemDiskFaultTest, AllocateWritesZerosWhereTheFileSystemCannotReserve) {
  const TestDirectory plain;
  const TestMount mount(plain.path(), "ramfs", nullptr);
  if (!mount.mounted()) GTEST_SKIP() << "mounting is not permitted here";
  run([&](Disk& disk) -> Task<void> {
    const Bytes content = pattern(5000, 2);
    const auto file = co_await opened(disk, plain.path() + "/a", OpenMode::create_new);
    EXPECT_TRUE((co_await file->write_at(0, content)).ok());
    EXPECT_TRUE((co_await file->allocate(700'000)).ok());
    EXPECT_TRUE((co_await file->allocate(1000)).ok());
  });
  const Bytes content = pattern(5000, 2);
  const Bytes found = content_of(plain.path() + "/a");
  EXPECT_EQ(found.size(), 700'000u);
  EXPECT_TRUE(std::equal(content.begin(), content.end(), found.begin()));
  EXPECT_EQ(std::count(found.begin() + 5000, found.end(), std::byte{0}), 695'000);
}

TEST_P(SystemDiskFaultTest, AReadOnlyFileSystemIsReadOnly) {
  const TestDirectory small;
  const TestMount mount(small.path(), "tmpfs", "ro,size=1m");
  if (!mount.mounted()) GTEST_SKIP() << "mounting is not permitted here";
  EXPECT_EQ(::mount("none", small.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  run([&](Disk& disk) -> Task<void> {
    const auto file = co_await disk.open(small.path() + "/a", OpenMode::create);
    EXPECT_FALSE(file.ok());
    if (!file.ok()) {
      EXPECT_EQ(file.error().kind, ErrorKind::read_only);
      EXPECT_EQ(file.error().message, "open " + small.path() + "/a: Read-only file system (EROFS)");
    }
  });
}

// The buffer lives in the task's frame: when the frame went before the kernel was done, AddressSanitizer would see it.
Task<Result<void>> write_and_be_stopped(File& file, std::uint64_t offset, std::size_t size, int& completed) {
  const Bytes content = pattern(size, 9);
  const Result<void> written = co_await file.write_at(offset, content);
  EXPECT_TRUE(written.ok());
  ++completed;
  const Executor executor = co_await asio::this_coro::executor;
  Signal never(executor);
  co_await never.wait();
  ADD_FAILURE() << "a stopped task went on";
  co_return Result<void>();
}

TEST_P(SystemDiskFaultTest, AStoppedTaskUnwindsAfterItsOperationsCompleted) {
  constexpr int tasks = 12;
  run([this](Disk& disk) -> Task<void> {
    const Executor executor = co_await asio::this_coro::executor;
    const auto file = co_await opened(disk, at("a"), OpenMode::create_new);
    int completed = 0;
    TaskGroup writers(executor);
    for (int i = 0; i < tasks; ++i) writers.spawn(write_and_be_stopped(*file, i * 4 * MiB, 4 * MiB, completed));
    co_await next_turn();  // they begin
    writers.stop();
    EXPECT_TRUE((co_await writers.join()).ok());
    EXPECT_EQ(completed, 12);
  });
  const Bytes content = pattern(4 * MiB, 9);
  const Bytes found = content_of(at("a"));
  EXPECT_EQ(found.size(), 48 * MiB);
  for (int i = 0; i < tasks; ++i) {
    EXPECT_EQ(std::memcmp(content.data(), &found[i * 4 * MiB], content.size()), 0) << i;
  }
}

// Also those that still wait for room in the ring or for a thread complete.
Task<Result<void>> read_and_be_stopped(File& file, int& completed) {
  Bytes into(256 * KiB);
  const Result<std::size_t> count = co_await file.read_at(0, into);
  EXPECT_EQ(*count, 256 * KiB);
  ++completed;
  co_return Result<void>();
}

TEST_P(SystemDiskFaultTest, AStoppedReadKeepsItsBufferUntilTheKernelIsDone) {
  constexpr int tasks = 400;  // more than the ring holds: some are stopped while they still wait for it
  run([this](Disk& disk) -> Task<void> {
    const Executor executor = co_await asio::this_coro::executor;
    const auto file = co_await opened(disk, at("a"), OpenMode::create_new);
    const Bytes content = pattern(256 * KiB, 3);
    EXPECT_TRUE((co_await file->write_at(0, content)).ok());
    int completed = 0;
    TaskGroup readers(executor);
    for (int i = 0; i < tasks; ++i) readers.spawn(read_and_be_stopped(*file, completed));
    co_await next_turn();
    readers.stop();
    EXPECT_TRUE((co_await readers.join()).ok());
    EXPECT_EQ(completed, 400);
  });
}

TEST_P(SystemDiskFaultTest, AFileMayBeClosedWhileItsOperationIsInFlight) {
  run([this](Disk& disk) -> Task<void> {
    const Executor executor = co_await asio::this_coro::executor;
    std::shared_ptr<File> file = co_await opened(disk, at("a"), OpenMode::create_new);
    TaskGroup writers(executor);
    Result<void> written = Error{};
    auto write = [&written](File& open_file, Bytes content) -> Task<Result<void>> {
      written = co_await open_file.write_at(0, content);
      co_return written;
    };
    writers.spawn(write(*file, pattern(8 * MiB, 4)));
    co_await next_turn();
    file.reset();
    EXPECT_TRUE((co_await writers.join()).ok());
    EXPECT_TRUE(written.ok());
  });
  EXPECT_EQ(content_of(at("a")), pattern(8 * MiB, 4));
}

TEST_P(SystemDiskFaultTest, TheDiskWaitsForWhatIsInFlightWhenItGoes) {
  asio::io_context context;
  std::unique_ptr<Disk> disk = open_system_disk(context.get_executor(), GetParam());
  const Bytes content = pattern(64 * KiB, 5);
  std::unique_ptr<File> file;
  auto open = [&]() -> Task<void> { file = co_await opened(*disk, at("a"), OpenMode::create_new); };
  asio::co_spawn(context, open(), [](std::exception_ptr failure) { EXPECT_EQ(failure, nullptr); });
  context.run_for(run_max);
  ASSERT_NE(file, nullptr);

  constexpr std::uint64_t writes = 300;
  std::uint64_t completed = 0;
  auto write = [&](std::uint64_t index) -> Task<void> {
    const Result<void> written = co_await file->write_at(index * content.size(), content);
    if (written.ok()) ++completed;
  };
  for (std::uint64_t i = 0; i < writes; ++i) {
    asio::co_spawn(context, write(i), [](std::exception_ptr failure) { EXPECT_EQ(failure, nullptr); });
  }
  context.restart();
  for (std::uint64_t i = 0; i < writes; ++i) context.poll_one();  // each task has begun, not all have reached the kernel
  disk.reset();
  EXPECT_EQ(std::filesystem::file_size(at("a")), 300u * 64 * KiB);
  context.run_for(run_max);
  EXPECT_EQ(completed, 300u);
}

TEST_P(SystemDiskFaultTest, AContextThatStopsWithTasksOnTheDiskLosesNoMemory) {
  asio::io_context context;
  const std::unique_ptr<Disk> disk = open_system_disk(context.get_executor(), GetParam());
  auto work = [&]() -> Task<void> {
    const auto file = co_await opened(*disk, at("a"), OpenMode::create_new);
    const Bytes content = pattern(1 * MiB, 6);
    for (;;) EXPECT_TRUE((co_await file->write_at(0, content)).ok());
  };
  asio::co_spawn(context, work(), [](std::exception_ptr) {});
  for (int i = 0; i < 50; ++i) context.run_one_for(std::chrono::seconds(10));
  SUCCEED() << "LeakSanitizer and AddressSanitizer judge";
}

// Makes io_uring_setup of this process fail, as a container's seccomp profile or an old kernel does.
bool refuse_io_uring(std::uint32_t number) {
  std::array<sock_filter, 4> rules = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | number),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program = {static_cast<unsigned short>(rules.size()), rules.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// In a process of its own, since a filter stays: 0 when the threads run there and the reason is known.
int choose_where_refused(std::uint32_t number, DiskChoice choice) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!refuse_io_uring(number)) ::_exit(2);
    asio::io_context context;
    const std::optional<Error> refusal = io_uring_refusal(context.get_executor());
    const std::unique_ptr<Disk> disk = open_system_disk(context.get_executor(), choice);
    const bool told = refusal && refusal->message == posix_error("set up io_uring", static_cast<int>(number)).message;
    ::_exit(told && disk->name() == "threads" ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(SystemDiskChoice, ThreadsRunWhereTheKernelRefusesIoUring) {
  for (const std::uint32_t number : {EPERM, ENOSYS, ENOMEM}) {
    EXPECT_EQ(choose_where_refused(number, DiskChoice::automatic), 0) << number;
    EXPECT_EQ(choose_where_refused(number, DiskChoice::io_uring), 0) << number;
  }
}

TEST(SystemDiskChoice, AutomaticTakesIoUringWhereTheKernelAllowsIt) {
  asio::io_context context;
  const bool refused = io_uring_refusal(context.get_executor()).has_value();
  const std::unique_ptr<Disk> disk = open_system_disk(context.get_executor(), DiskChoice::automatic);
  EXPECT_EQ(disk->name(), refused ? "threads" : "io_uring");
}

TEST(PosixError, EveryErrnoHasAKindAndATextWithItsName) {
  EXPECT_EQ(posix_error("open /x/y", ENOSPC).message, "open /x/y: No space left on device (ENOSPC)");
  EXPECT_EQ(kind_of_errno(ENOSPC), ErrorKind::no_space);
  EXPECT_EQ(kind_of_errno(EDQUOT), ErrorKind::no_space);
  EXPECT_EQ(kind_of_errno(ENOENT), ErrorKind::not_found);
  EXPECT_EQ(kind_of_errno(EEXIST), ErrorKind::exists);
  EXPECT_EQ(kind_of_errno(EROFS), ErrorKind::read_only);
  EXPECT_EQ(kind_of_errno(EACCES), ErrorKind::read_only);
  EXPECT_EQ(kind_of_errno(EPERM), ErrorKind::read_only);
  EXPECT_EQ(kind_of_errno(EIO), ErrorKind::io);
  EXPECT_EQ(kind_of_errno(EMFILE), ErrorKind::busy);
  EXPECT_EQ(posix_error("read /x", 99'999).message, "read /x: error (99999)");
}

}  // namespace
}  // namespace ccr::storage
