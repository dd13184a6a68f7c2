// A second process is kept away from a directory (FAULTS row 36).
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <optional>

#include "storage/directory_lock.h"
#include "tests/system_disk_fixture.h"

namespace ccr::storage {
namespace {

constexpr int locked = 0;
constexpr int refused_by_parent = 1;
constexpr int refused_otherwise = 2;

// What another process is told when it tries.
int try_in_another_process(const std::string& directory) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    const Result<DirectoryLock> lock = lock_directory(directory);
    if (lock.ok()) ::_exit(locked);
    const std::string expected = "lock " + directory + ": in use by process " + std::to_string(parent);
    const bool named = lock.error().kind == ErrorKind::busy && lock.error().message == expected;
    ::_exit(named ? refused_by_parent : refused_otherwise);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(DirectoryLock, ASecondProcessIsRefusedAndToldTheOwner) {
  const TestDirectory directory;
  std::optional<Result<DirectoryLock>> lock = lock_directory(directory.path());
  ASSERT_TRUE(lock->ok());
  EXPECT_EQ(try_in_another_process(directory.path()), refused_by_parent);
  EXPECT_EQ(try_in_another_process(directory.path()), refused_by_parent);
  lock.reset();
  EXPECT_EQ(try_in_another_process(directory.path()), locked);
}

TEST(DirectoryLock, ASecondLockOfTheSameProcessIsRefused) {
  const TestDirectory directory;
  const Result<DirectoryLock> first = lock_directory(directory.path());
  ASSERT_TRUE(first.ok());
  const Result<DirectoryLock> second = lock_directory(directory.path());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::busy);
}

TEST(DirectoryLock, AClaimKeepsOthersAwayAndLeavesTheDirectoryEmpty) {
  const TestDirectory directory;
  std::optional<Result<DirectoryLock>> claim = claim_directory(directory.path());
  ASSERT_TRUE(claim->ok());
  const Result<DirectoryLock> second = claim_directory(directory.path());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::busy);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  claim.reset();
  EXPECT_TRUE(claim_directory(directory.path()).ok());
}

TEST(DirectoryLock, MovesWithItsOwner) {
  const TestDirectory directory;
  Result<DirectoryLock> lock = lock_directory(directory.path());
  ASSERT_TRUE(lock.ok());
  std::optional<DirectoryLock> kept(std::move(*lock));
  EXPECT_EQ(try_in_another_process(directory.path()), refused_by_parent);
  kept.reset();
  EXPECT_EQ(try_in_another_process(directory.path()), locked);
}

TEST(DirectoryLock, TheDeathOfTheOwnerFreesIt) {
  const TestDirectory directory;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    const Result<DirectoryLock> lock = lock_directory(directory.path());
    const char answer = lock.ok() ? 'y' : 'n';
    if (::write(ready[1], &answer, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  const Result<DirectoryLock> while_alive = lock_directory(directory.path());
  ASSERT_FALSE(while_alive.ok());
  EXPECT_EQ(while_alive.error().message, "lock " + directory.path() + ": in use by process " + std::to_string(owner));
  ::kill(owner, SIGKILL);
  ASSERT_EQ(::waitpid(owner, nullptr, 0), owner);
  EXPECT_TRUE(lock_directory(directory.path()).ok());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(DirectoryLock, AMissingDirectoryIsNotFound) {
  const TestDirectory directory;
  const Result<DirectoryLock> lock = lock_directory(directory.path() + "/absent");
  ASSERT_FALSE(lock.ok());
  EXPECT_EQ(lock.error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace ccr::storage
