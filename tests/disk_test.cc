// Every promise of storage/disk.h, on both production back ends.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "base/task_group.h"
#include "storage/scratch_disk.h"
#include "tests/system_disk_fixture.h"

namespace ccr::storage {
namespace {

INSTANTIATE_TEST_SUITE_P(BackEnd, SystemDiskTest, testing::Values(DiskChoice::io_uring, DiskChoice::threads), back_end_name);

mode_t mode_of(const std::string& path) {
  struct stat facts {};
  EXPECT_EQ(::stat(path.c_str(), &facts), 0);
  return facts.st_mode & 07777;
}

TEST_P(SystemDiskTest, NameSaysWhichBackEndRuns) {
  run([](Disk& disk) -> Task<void> {
    EXPECT_EQ(disk.name(), GetParam() == DiskChoice::threads ? "threads" : "io_uring");
    co_return;
  });
}

TEST_P(SystemDiskTest, OpeningAMissingFileSaysWhatAndWhy) {
  run([this](Disk& disk) -> Task<void> {
    for (const OpenMode mode : {OpenMode::read, OpenMode::read_write}) {
      const auto file = co_await disk.open(at("absent"), mode);
      EXPECT_FALSE(file.ok());
      if (file.ok()) continue;
      EXPECT_EQ(file.error().kind, ErrorKind::not_found);
      EXPECT_EQ(file.error().message, "open " + at("absent") + ": No such file or directory (ENOENT)");
    }
  });
}

TEST_P(SystemDiskTest, CreateMakesAFileOnceAndKeepsItsContent) {
  run([this](Disk& disk) -> Task<void> {
    const Bytes content = pattern(100, 1);
    {
      const auto file = co_await opened(disk, at("a"), OpenMode::create);
      EXPECT_TRUE((co_await file->write_at(0, content)).ok());
    }
    const auto again = co_await opened(disk, at("a"), OpenMode::create);
    const auto size = co_await again->size();
    EXPECT_EQ(*size, 100u);
  });
}

TEST_P(SystemDiskTest, CreateNewRefusesAFileThatExists) {
  run([this](Disk& disk) -> Task<void> {
    const auto first = co_await disk.open(at("a"), OpenMode::create_new);
    EXPECT_TRUE(first.ok());
    const auto second = co_await disk.open(at("a"), OpenMode::create_new);
    EXPECT_FALSE(second.ok());
    if (!second.ok()) {
      EXPECT_EQ(second.error().kind, ErrorKind::exists);
    }
  });
}

TEST_P(SystemDiskTest, AFileOpenedToReadRefusesWrites) {
  run([this](Disk& disk) -> Task<void> {
    const Bytes content = pattern(10, 1);
    (co_await opened(disk, at("a"), OpenMode::create)).reset();
    const auto file = co_await opened(disk, at("a"), OpenMode::read);
    const auto written = co_await file->write_at(4096, content);
    EXPECT_FALSE(written.ok());
    if (!written.ok()) {
      EXPECT_EQ(written.error().message, "write " + at("a") + " at 4096: Bad file descriptor (EBADF)");
    }
  });
}

TEST_P(SystemDiskTest, OnlyRegularFilesAreOpened) {
  EXPECT_EQ(::mkfifo(at("fifo").c_str(), 0600), 0);
  run([this](Disk& disk) -> Task<void> {
    const auto fifo = co_await disk.open(at("fifo"), OpenMode::read);
    EXPECT_FALSE(fifo.ok());
    if (!fifo.ok()) {
      EXPECT_EQ(fifo.error().kind, ErrorKind::identity);
    }
    const auto folder = co_await disk.open(directory_.path(), OpenMode::read);
    EXPECT_FALSE(folder.ok());
    const auto written = co_await disk.open(directory_.path(), OpenMode::create);
    EXPECT_FALSE(written.ok());
    if (!written.ok()) {
      EXPECT_EQ(written.error().kind, ErrorKind::identity);
      EXPECT_NE(written.error().hint, "");
    }
  });
}

TEST_P(SystemDiskTest, NothingIsWrittenThroughALink) {
  std::ofstream(at("precious")) << "theirs";
  std::filesystem::create_symlink(at("precious"), at("link"));
  std::filesystem::create_symlink(at("nothing"), at("dangling"));
  run([this](Disk& disk) -> Task<void> {
    for (const char* name : {"link", "dangling"}) {
      for (const OpenMode mode : {OpenMode::read_write, OpenMode::create}) {
        const auto file = co_await disk.open(at(name), mode);
        EXPECT_FALSE(file.ok()) << name;
        if (file.ok()) continue;
        EXPECT_EQ(file.error().kind, ErrorKind::identity) << file.error().message;
        EXPECT_NE(file.error().hint, "");
      }
    }
    const auto read = co_await disk.open(at("link"), OpenMode::read);
    EXPECT_TRUE(read.ok());
  });
  EXPECT_FALSE(std::filesystem::exists(at("nothing")));
}

TEST_P(SystemDiskTest, NothingIsWrittenToAFileThatHasAnotherName) {
  std::ofstream(at("precious")) << "theirs";
  std::filesystem::create_hard_link(at("precious"), at("link"));
  run([this](Disk& disk) -> Task<void> {
    const auto file = co_await disk.open(at("link"), OpenMode::create);
    EXPECT_FALSE(file.ok());
    if (file.ok()) co_return;
    EXPECT_EQ(file.error().kind, ErrorKind::identity) << file.error().message;
    EXPECT_NE(file.error().hint, "");
    const auto read = co_await disk.open(at("link"), OpenMode::read);
    EXPECT_TRUE(read.ok());
  });
}

TEST_P(SystemDiskTest, FilesAndDirectoriesBelongToTheOwnerAlone) {
  const mode_t before = ::umask(0);
  run([this](Disk& disk) -> Task<void> {
    (co_await opened(disk, at("a"), OpenMode::create)).reset();
    (co_await opened(disk, at("b"), OpenMode::create_new)).reset();
    const auto made = co_await disk.make_directories(at("one/two"));
    EXPECT_TRUE(made.ok());
  });
  ::umask(before);
  EXPECT_EQ(mode_of(at("a")), 0600u);
  EXPECT_EQ(mode_of(at("b")), 0600u);
  EXPECT_EQ(mode_of(at("one")), 0700u);
  EXPECT_EQ(mode_of(at("one/two")), 0700u);
}

TEST_P(SystemDiskTest, AFileIsGivenToWhoIsNamed) {
  run([&](Disk& disk) -> Task<void> {
    const Result<std::unique_ptr<File>> file = co_await disk.open(at("a"), OpenMode::create);
    EXPECT_TRUE(file.ok());
    const Result<FileAccess> own = co_await disk.access(at("a"));
    EXPECT_TRUE(own.ok());
    if (!own.ok()) co_return;
    EXPECT_TRUE(own->known());
    EXPECT_EQ(own->mode, 0600u);
    FileAccess wanted = *own;
    wanted.mode = 0640;
    Result<void> given = co_await disk.give_access(at("a"), wanted);
    EXPECT_TRUE(given.ok()) << given.error().message;
    Result<FileAccess> now = co_await disk.access(at("a"));
    EXPECT_TRUE(now.ok() && *now == wanted) << now->text();
    wanted.owner = "no-such-user-of-this-host";
    given = co_await disk.give_access(at("a"), wanted);
    EXPECT_FALSE(given.ok());
    EXPECT_NE(given.error().message.find("no user 'no-such-user-of-this-host'"), std::string::npos) << given.error().message;
    now = co_await disk.access(at("a"));
    EXPECT_TRUE(now.ok() && now->owner == own->owner && now->mode == 0640);
    if (::geteuid() == 0) {
      const FileAccess others{"daemon", "mail", 0604, own->label};
      given = co_await disk.give_access(at("a"), others);
      EXPECT_TRUE(given.ok()) << given.error().message;
      now = co_await disk.access(at("a"));
      EXPECT_TRUE(now.ok() && *now == others) << now->text();
    }
    const Result<FileAccess> missing = co_await disk.access(at("b"));
    EXPECT_EQ(missing.ok() ? ErrorKind::io : missing.error().kind, ErrorKind::not_found);
  });
}

TEST_P(SystemDiskTest, NoDescriptorReachesAnotherProgram) {
  run([this](Disk& disk) -> Task<void> {
    const auto file = co_await opened(disk, at("a"), OpenMode::create);
    int seen = 0;
    for (int descriptor = 3; descriptor < 64; ++descriptor) {
      const int flags = ::fcntl(descriptor, F_GETFD);
      const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
      std::error_code none;
      const std::string target = std::filesystem::read_symlink(link, none).string();
      if (flags < 0 || (target != at("a") && target.find("io_uring") == std::string::npos)) continue;
      EXPECT_NE(flags & FD_CLOEXEC, 0) << target;
      ++seen;
    }
    EXPECT_GE(seen, 1);
    co_return;
  });
}

TEST_P(SystemDiskTest, AReadIsShortOnlyAtTheEndOfTheFile) {
  run([this](Disk& disk) -> Task<void> {
    const Bytes content = pattern(10'000, 3);
    const auto file = co_await opened(disk, at("a"), OpenMode::create_new);
    EXPECT_TRUE((co_await file->write_at(0, content)).ok());
    Bytes into(4096, std::byte{0xee});
    const auto whole = co_await file->read_at(4096, into);
    EXPECT_EQ(*whole, 4096u);
    EXPECT_TRUE(std::equal(into.begin(), into.end(), content.begin() + 4096));
    const auto tail = co_await file->read_at(8192, into);
    EXPECT_EQ(*tail, 10'000u - 8192u);
    const auto behind = co_await file->read_at(10'000, into);
    EXPECT_EQ(*behind, 0u);
    const auto nothing = co_await file->read_at(0, ByteSpan());
    EXPECT_EQ(*nothing, 0u);
  });
}

TEST_P(SystemDiskTest, WritingBackLeavesTheContentAsItIs) {
  run([this](Disk& disk) -> Task<void> {
    const Bytes content = pattern(10000, 3);
    const auto file = co_await opened(disk, at("a"), OpenMode::create);
    EXPECT_TRUE((co_await file->write_at(4096, content)).ok());
    std::vector<FilePart> parts(2);
    parts[0] = FilePart{4096, 4096};
    parts[1] = FilePart{8192, 100000};  // beyond the end too
    EXPECT_TRUE((co_await file->write_back(parts)).ok());
    Bytes back(10000);
    const auto count = co_await file->read_at(4096, back);
    EXPECT_TRUE(count.ok());
    EXPECT_EQ(back, content);
    parts[0].offset = std::uint64_t(1) << 63;
    const auto refused = co_await file->write_back(parts);
    EXPECT_FALSE(refused.ok());
  });
}

TEST_P(SystemDiskTest, HolesAreZeros) {
  run([this](Disk& disk) -> Task<void> {
    const Bytes content = pattern(5, 4);
    const auto file = co_await opened(disk, at("a"), OpenMode::create_new);
    EXPECT_TRUE((co_await file->write_at(100'000, content)).ok());
    Bytes into(100'005, std::byte{0xee});
    const auto count = co_await file->read_at(0, into);
    EXPECT_EQ(*count, 100'005u);
    EXPECT_EQ(std::count(into.begin(), into.begin() + 100'000, std::byte{0}), 100'000);
    EXPECT_TRUE(std::equal(content.begin(), content.end(), into.begin() + 100'000));
  });
}

TEST_P(SystemDiskTest, OffsetsNoFileCanHaveAreRefused) {
  run([this](Disk& disk) -> Task<void> {
    const auto file = co_await opened(disk, at("a"), OpenMode::create_new);
    Bytes bytes(16);
    for (const std::uint64_t offset : {~std::uint64_t{0}, std::uint64_t{1} << 63, (std::uint64_t{1} << 63) - 8}) {
      EXPECT_FALSE((co_await file->read_at(offset, bytes)).ok());
      EXPECT_FALSE((co_await file->write_at(offset, bytes)).ok());
    }
    EXPECT_FALSE((co_await file->truncate(~std::uint64_t{0})).ok());
    EXPECT_FALSE((co_await file->allocate(~std::uint64_t{0})).ok());
    EXPECT_EQ(*(co_await file->size()), 0u);
  });
}

Task<Result<void>> write_block(File& file, std::uint64_t block, std::size_t block_bytes) {
  const Bytes content = pattern(block_bytes, static_cast<unsigned>(block));
  co_return co_await file.write_at(block * block_bytes, content);
}

Task<Result<void>> read_block(File& file, std::uint64_t block, std::size_t block_bytes, int& equal) {
  Bytes into(block_bytes);
  const auto count = co_await file.read_at(block * block_bytes, into);
  if (!count.ok()) co_return count.error();
  if (*count == block_bytes && into == pattern(block_bytes, static_cast<unsigned>(block))) ++equal;
  co_return Result<void>();
}

TEST_P(SystemDiskTest, OperationsOfManyTasksOnSeveralFilesOverlap) {
  constexpr std::uint64_t blocks = 40;
  constexpr std::size_t block_bytes = 100'000;
  run([this](Disk& disk) -> Task<void> {
    const Executor executor = co_await asio::this_coro::executor;
    std::vector<std::unique_ptr<File>> files;
    for (const char* name : {"a", "b", "c"}) files.push_back(co_await opened(disk, at(name), OpenMode::create_new));
    TaskGroup writers(executor);
    for (const auto& file : files) {
      for (std::uint64_t block = 0; block < blocks; ++block) writers.spawn(write_block(*file, block, block_bytes));
      writers.spawn(file->sync());
    }
    EXPECT_TRUE((co_await writers.join()).ok());
    int equal = 0;
    TaskGroup readers(executor);
    for (const auto& file : files) {
      for (std::uint64_t block = 0; block < blocks; ++block) readers.spawn(read_block(*file, block, block_bytes, equal));
    }
    EXPECT_TRUE((co_await readers.join()).ok());
    EXPECT_EQ(equal, 120);
  });
}

TEST_P(SystemDiskTest, OverlappingWritesOfOneRangeLeaveOneOfThem) {
  run([this](Disk& disk) -> Task<void> {
    const Executor executor = co_await asio::this_coro::executor;
    const auto file = co_await opened(disk, at("a"), OpenMode::create_new);
    const Bytes ones(4096, std::byte{1});
    const Bytes twos(4096, std::byte{2});
    TaskGroup writers(executor);
    writers.spawn(file->write_at(0, ones));
    writers.spawn(file->write_at(0, twos));
    EXPECT_TRUE((co_await writers.join()).ok());
    Bytes into(4096);
    EXPECT_EQ(*(co_await file->read_at(0, into)), 4096u);
    EXPECT_TRUE(into == ones || into == twos);
  });
}

TEST_P(SystemDiskTest, AThousandReadsAtOnceAreMoreThanTheRingHolds) {
  constexpr std::uint64_t blocks = 1000;
  run([this](Disk& disk) -> Task<void> {
    const Executor executor = co_await asio::this_coro::executor;
    const auto file = co_await opened(disk, at("a"), OpenMode::create_new);
    for (std::uint64_t block = 0; block < blocks; ++block) EXPECT_TRUE((co_await write_block(*file, block, 512)).ok());
    int equal = 0;
    TaskGroup readers(executor);
    for (std::uint64_t block = 0; block < blocks; ++block) readers.spawn(read_block(*file, block, 512, equal));
    EXPECT_TRUE((co_await readers.join()).ok());
    EXPECT_EQ(equal, 1000);
  });
}

TEST_P(SystemDiskTest, LongQueuesOfWritesAndSyncsComplete) {
  constexpr std::uint64_t blocks = 600;
  run([this](Disk& disk) -> Task<void> {
    const Executor executor = co_await asio::this_coro::executor;
    const auto file = co_await opened(disk, at("a"), OpenMode::create_new);
    TaskGroup writers(executor);
    for (std::uint64_t block = 0; block < blocks; ++block) {
      writers.spawn(write_block(*file, block, 4096));
      if (block % 50 == 0) writers.spawn(file->sync());
    }
    EXPECT_TRUE((co_await writers.join()).ok());
    EXPECT_EQ(*(co_await file->size()), 600u * 4096);
  });
}

TEST_P(SystemDiskTest, TransfersOfManyMegabytesArriveWhole) {
  run([this](Disk& disk) -> Task<void> {
    const Bytes content = pattern(20 * MiB + 17, 5);
    const auto file = co_await opened(disk, at("a"), OpenMode::create_new);
    EXPECT_TRUE((co_await file->write_at(3, content)).ok());
    Bytes into(content.size() + 1000);
    EXPECT_EQ(*(co_await file->read_at(3, into)), content.size());
    EXPECT_TRUE(std::equal(content.begin(), content.end(), into.begin()));
  });
}

TEST_P(SystemDiskTest, TruncateCutsAndExtendsWithZeros) {
  run([this](Disk& disk) -> Task<void> {
    const Bytes content = pattern(1000, 6);
    const auto file = co_await opened(disk, at("a"), OpenMode::create_new);
    EXPECT_TRUE((co_await file->write_at(0, content)).ok());
    EXPECT_TRUE((co_await file->truncate(10)).ok());
    EXPECT_EQ(*(co_await file->size()), 10u);
    EXPECT_TRUE((co_await file->truncate(1000)).ok());
    Bytes into(1000);
    EXPECT_EQ(*(co_await file->read_at(0, into)), 1000u);
    EXPECT_EQ(std::count(into.begin() + 10, into.end(), std::byte{0}), 990);
  });
}

TEST_P(SystemDiskTest, AllocateReservesBlocksAndKeepsContent) {
  run([this](Disk& disk) -> Task<void> {
    const Bytes content = pattern(5000, 7);
    const auto file = co_await opened(disk, at("a"), OpenMode::create_new);
    EXPECT_TRUE((co_await file->write_at(0, content)).ok());
    EXPECT_TRUE((co_await file->allocate(1 * MiB)).ok());
    EXPECT_EQ(*(co_await file->size()), 1 * MiB);
    EXPECT_TRUE((co_await file->allocate(0)).ok());
    EXPECT_TRUE((co_await file->allocate(4096)).ok());
    EXPECT_EQ(*(co_await file->size()), 1 * MiB);
    Bytes into(1 * MiB);
    EXPECT_EQ(*(co_await file->read_at(0, into)), 1 * MiB);
    EXPECT_TRUE(std::equal(content.begin(), content.end(), into.begin()));
    EXPECT_EQ(std::count(into.begin() + 5000, into.end(), std::byte{0}), static_cast<std::ptrdiff_t>(MiB - 5000));
    EXPECT_TRUE((co_await file->write_at(8192, content)).ok());
    EXPECT_EQ(*(co_await file->size()), 1 * MiB);
  });
  struct stat facts {};
  EXPECT_EQ(::stat(at("a").c_str(), &facts), 0);
  EXPECT_GE(static_cast<std::uint64_t>(facts.st_blocks) * 512, 1 * MiB);
}

TEST_P(SystemDiskTest, ZerosGiveTheirBlocksBackAndExtendTheFile) {
  const auto allocated = [this] {
    struct stat facts {};
    EXPECT_EQ(::stat(at("a").c_str(), &facts), 0);
    return static_cast<std::uint64_t>(facts.st_blocks) * 512;
  };
  run([&](Disk& disk) -> Task<void> {
    const Bytes content = pattern(2 * MiB, 3), zeros(1 * MiB);
    const auto file = co_await opened(disk, at("a"), OpenMode::create_new);
    EXPECT_TRUE((co_await file->write_at(0, content)).ok());
    EXPECT_TRUE((co_await file->sync()).ok());
    const std::uint64_t before = allocated();
    EXPECT_GE(before, 2 * MiB);
    EXPECT_TRUE((co_await file->write_zeros(512 * KiB + 7, zeros)).ok());
    EXPECT_TRUE((co_await file->sync()).ok());
    EXPECT_LE(allocated(), before - MiB + 8 * KiB);
    EXPECT_EQ(*(co_await file->size()), 2 * MiB);
    Bytes into(2 * MiB), expected = content;
    std::fill_n(expected.begin() + 512 * KiB + 7, MiB, std::byte{0});
    EXPECT_EQ(*(co_await file->read_at(0, into)), 2 * MiB);
    EXPECT_TRUE(into == expected);
    const ByteView behind = ByteView(zeros).first(5000);
    EXPECT_TRUE((co_await file->write_zeros(3 * MiB, behind)).ok());
    EXPECT_EQ(*(co_await file->size()), 3 * MiB + 5000);
    EXPECT_TRUE((co_await file->write_zeros(9 * MiB, ByteView())).ok());
    EXPECT_EQ(*(co_await file->size()), 3 * MiB + 5000);
  });
}

TEST_P(SystemDiskTest, RenameReplacesItsTarget) {
  run([this](Disk& disk) -> Task<void> {
    const auto first = co_await opened(disk, at("a"), OpenMode::create_new);
    const Bytes content = pattern(100, 8);
    EXPECT_TRUE((co_await first->write_at(0, content)).ok());
    (co_await opened(disk, at("b"), OpenMode::create_new)).reset();
    EXPECT_TRUE((co_await disk.rename(at("a"), at("b"))).ok());
    const auto gone = co_await disk.open(at("a"), OpenMode::read);
    EXPECT_FALSE(gone.ok());
    const auto moved = co_await opened(disk, at("b"), OpenMode::read);
    EXPECT_EQ(*(co_await moved->size()), 100u);
    const auto again = co_await disk.rename(at("a"), at("b"));
    EXPECT_FALSE(again.ok());
    if (!again.ok()) {
      EXPECT_EQ(again.error().kind, ErrorKind::not_found);
      EXPECT_EQ(again.error().message, "rename " + at("a") + " to " + at("b") + ": No such file or directory (ENOENT)");
    }
  });
}

TEST_P(SystemDiskTest, RemoveOfWhatIsNotThereIsNotFound) {
  run([this](Disk& disk) -> Task<void> {
    (co_await opened(disk, at("a"), OpenMode::create_new)).reset();
    EXPECT_TRUE((co_await disk.remove(at("a"))).ok());
    const auto again = co_await disk.remove(at("a"));
    EXPECT_FALSE(again.ok());
    if (!again.ok()) {
      EXPECT_EQ(again.error().kind, ErrorKind::not_found);
    }
  });
}

TEST_P(SystemDiskTest, ListIsSortedByNameAndTellsDirectoriesAndSizes) {
  run([this](Disk& disk) -> Task<void> {
    for (const char* name : {"b", "a10", "a9", "Z"}) (co_await opened(disk, at(name), OpenMode::create_new)).reset();
    const auto file = co_await opened(disk, at("b"), OpenMode::read_write);
    EXPECT_TRUE((co_await file->truncate(77)).ok());
    EXPECT_TRUE((co_await disk.make_directories(at("incoming"))).ok());
    const auto entries = co_await disk.list(directory_.path());
    EXPECT_TRUE(entries.ok());
    std::string names;
    for (const DirectoryEntry& entry : *entries) {
      names += entry.name + (entry.directory ? "/ " : ":" + std::to_string(entry.facts.bytes) + " ");
    }
    EXPECT_EQ(names, "Z:0 a10:0 a9:0 b:77 incoming/ ");
    const auto absent = co_await disk.list(at("absent"));
    EXPECT_FALSE(absent.ok());
    if (!absent.ok()) {
      EXPECT_EQ(absent.error().kind, ErrorKind::not_found);
    }
  });
}

TEST_P(SystemDiskTest, MakeDirectoriesMakesParentsAndIsContentWithWhatIsThere) {
  run([this](Disk& disk) -> Task<void> {
    EXPECT_TRUE((co_await disk.make_directories(at("x//y/z/"))).ok());
    EXPECT_TRUE((co_await disk.make_directories(at("x/y/z"))).ok());
    EXPECT_TRUE((co_await disk.make_directories("/")).ok());
    EXPECT_TRUE(std::filesystem::is_directory(at("x/y/z")));
    (co_await opened(disk, at("file"), OpenMode::create_new)).reset();
    const auto onto_file = co_await disk.make_directories(at("file"));
    EXPECT_FALSE(onto_file.ok());
    if (!onto_file.ok()) {
      EXPECT_EQ(onto_file.error().kind, ErrorKind::exists);
    }
    EXPECT_FALSE((co_await disk.make_directories(at("file/below"))).ok());
  });
}

TEST_P(SystemDiskTest, SyncDirectoryWantsADirectory) {
  run([this](Disk& disk) -> Task<void> {
    EXPECT_TRUE((co_await disk.sync_directory(directory_.path())).ok());
    (co_await opened(disk, at("a"), OpenMode::create_new)).reset();
    EXPECT_FALSE((co_await disk.sync_directory(at("a"))).ok());
    const auto absent = co_await disk.sync_directory(at("absent"));
    EXPECT_FALSE(absent.ok());
    if (!absent.ok()) {
      EXPECT_EQ(absent.error().message, "open directory " + at("absent") + ": No such file or directory (ENOENT)");
    }
  });
}

TEST_P(SystemDiskTest, SpaceIsOfTheFileSystemUnderThePath) {
  run([this](Disk& disk) -> Task<void> {
    const auto space = co_await disk.space(directory_.path());
    EXPECT_TRUE(space.ok());
    const std::filesystem::space_info expected = std::filesystem::space(directory_.path());
    EXPECT_EQ(space->total_bytes, expected.capacity);
    EXPECT_GT(space->free_bytes, 0u);
    EXPECT_LE(space->free_bytes, space->total_bytes);
    EXPECT_FALSE((co_await disk.space(at("absent"))).ok());
  });
}

TEST_P(SystemDiskTest, ScratchFilesHaveNamesForTheirWriterOnly) {
  run([this](Disk& disk) -> Task<void> {
    ScratchDisk scratch(disk, at("probe"));
    const Bytes content = pattern(100, 1);
    EXPECT_EQ((co_await scratch.open(at("a"), OpenMode::read)).error().kind, ErrorKind::not_found);
    const auto file = co_await opened(scratch, at("a"), OpenMode::create);
    EXPECT_TRUE((co_await file->write_at(0, content)).ok());
    EXPECT_TRUE((co_await file->sync()).ok());
    EXPECT_EQ((co_await scratch.open(at("a"), OpenMode::create_new)).error().kind, ErrorKind::exists);
    const auto again = co_await opened(scratch, at("a"), OpenMode::read);
    EXPECT_EQ(*co_await again->size(), 100u);
    (co_await opened(scratch, at("b.new"), OpenMode::create)).reset();
    EXPECT_TRUE((co_await scratch.rename(at("b.new"), at("a"))).ok());
    EXPECT_EQ(*co_await again->size(), 100u) << "what was replaced stays open";
    const auto replaced = co_await opened(scratch, at("a"), OpenMode::read);
    EXPECT_EQ(*co_await replaced->size(), 0u);
    const auto entries = co_await scratch.list(directory_.path());
    EXPECT_EQ(entries->size(), 1u);
    EXPECT_TRUE((co_await scratch.remove(at("a"))).ok());
    EXPECT_EQ((co_await scratch.remove(at("a"))).error().kind, ErrorKind::not_found);
    const auto on_disk = co_await disk.list(directory_.path());
    EXPECT_TRUE(on_disk->empty()) << on_disk->front().name;
  });
}

}  // namespace
}  // namespace ccr::storage
