// What scans leave in the page cache, on both production back ends and on a file that somebody else has open.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>


#include "storage/cache_footprint.h"
#include "tests/system_disk_fixture.h"

namespace ccr::storage::cache_footprint_test {
namespace {

constexpr std::size_t file_bytes = 8 * MiB;
constexpr std::size_t hot_bytes = 1 * MiB;  // at the beginning: a program's
constexpr std::size_t piece_bytes = 1 * MiB;

class Footprint : public SystemDiskTest {
 protected:
  // Pages of the file that the kernel holds, in [from, from + bytes).
  std::size_t held(std::uint64_t from, std::size_t bytes) const {
    const int descriptor = ::open(at("a").c_str(), O_RDONLY | O_CLOEXEC);
    void* mapped = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, static_cast<off_t>(from));
    ::close(descriptor);
    CCR_ASSERT(mapped != MAP_FAILED);
    std::vector<unsigned char> pages(bytes / 4096);
    EXPECT_EQ(::mincore(mapped, bytes, pages.data()), 0);
    ::munmap(mapped, bytes);
    return static_cast<std::size_t>(std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return (page & 1) != 0; }));
  }
  void drop() const {
    const int descriptor = ::open(at("a").c_str(), O_RDONLY | O_CLOEXEC);
    ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
    ::close(descriptor);
  }
  void warm() const {
    const int descriptor = ::open(at("a").c_str(), O_RDONLY | O_CLOEXEC);
    ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM);
    Bytes hot(hot_bytes);
    EXPECT_EQ(::pread(descriptor, hot.data(), hot.size(), 0), static_cast<ssize_t>(hot.size()));
    ::close(descriptor);
  }
  // A file of which only the hot pages are held; false: this file system keeps everything.
  bool prepare() {
    run([this](Disk& disk) -> Task<void> {
      const std::unique_ptr<File> file = co_await opened(disk, at("a"), OpenMode::create_new);
      const Bytes content = pattern(file_bytes, 1);
      EXPECT_TRUE((co_await file->write_at(0, content)).ok());
      EXPECT_TRUE((co_await file->sync()).ok());
    });
    drop();
    if (held(0, file_bytes) > 0) return false;
    warm();
    return true;
  }
};

INSTANTIATE_TEST_SUITE_P(BackEnd, Footprint, testing::Values(DiskChoice::io_uring, DiskChoice::threads), back_end_name);

TEST_P(Footprint, AScanLeavesWhatWasHotAndNothingMore) {
  if (!prepare()) GTEST_SKIP() << "this file system keeps what it is told to drop";
  run([this](Disk& disk) -> Task<void> {
    const std::unique_ptr<File> file = co_await opened(disk, at("a"), OpenMode::read);
    const Bytes content = pattern(file_bytes, 1);
    Bytes piece(piece_bytes);
    for (std::size_t offset = 0; offset < file_bytes; offset += piece_bytes) {
      const ByteSpan into(piece);
      const Result<std::size_t> read = co_await file->read_once_at(offset, into);
      EXPECT_TRUE(read.ok() && *read == piece_bytes);
      EXPECT_EQ(std::memcmp(piece.data(), content.data() + offset, piece_bytes), 0);
    }
  });
  EXPECT_EQ(held(0, hot_bytes), hot_bytes / 4096);
  EXPECT_EQ(held(hot_bytes, file_bytes - hot_bytes), 0u);
}

TEST_P(Footprint, AReadThatIsNotOnceStays) {
  if (!prepare()) GTEST_SKIP() << "this file system keeps what it is told to drop";
  run([this](Disk& disk) -> Task<void> {
    const std::unique_ptr<File> file = co_await opened(disk, at("a"), OpenMode::read);
    Bytes piece(piece_bytes);
    const ByteSpan into(piece);
    EXPECT_TRUE((co_await file->read_at(4 * MiB, into)).ok());
  });
  EXPECT_EQ(held(4 * MiB, piece_bytes), piece_bytes / 4096);
}

TEST_P(Footprint, WhatIsForgottenAfterItsSyncLeavesTheCache) {
  if (!prepare()) GTEST_SKIP() << "this file system keeps what it is told to drop";
  run([this](Disk& disk) -> Task<void> {
    const std::unique_ptr<File> file = co_await opened(disk, at("a"), OpenMode::read_write);
    const Bytes written = pattern(2 * piece_bytes, 2);
    for (std::size_t offset = 0; offset < written.size(); offset += piece_bytes) {
      const ByteView piece = ByteView(written).subspan(offset, piece_bytes);
      EXPECT_TRUE((co_await file->write_at(4 * MiB + offset, piece)).ok());
    }
    EXPECT_TRUE((co_await file->sync()).ok());
    std::vector<FilePart> first = {{4 * MiB, piece_bytes}};
    EXPECT_TRUE((co_await file->forget(std::move(first))).ok());
    Bytes again(written.size());
    const ByteSpan into(again);
    const Result<std::size_t> read = co_await file->read_once_at(4 * MiB, into);
    EXPECT_TRUE(read.ok());
    EXPECT_EQ(again, written);
  });
  EXPECT_EQ(held(4 * MiB, piece_bytes), 0u);
  EXPECT_EQ(held(4 * MiB + piece_bytes, piece_bytes), piece_bytes / 4096);
}

TEST(CacheFootprint, FindsADescriptorOfThisProcess) {
  const TestDirectory directory;
  const std::string path = directory.path() + "/b";
  EXPECT_EQ(descriptor_on(path), -1);
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  EXPECT_EQ(descriptor_on(path), descriptor);
  ::close(descriptor);
  EXPECT_EQ(descriptor_on(path), -1);
}

}  // namespace
}  // namespace ccr::storage::cache_footprint_test
