// hung_file FILE PID: whether a program's own thread goes on while a disk hangs on which it has a file open.
//
// FILE, of 1 MiB at least, lies on the file system that process PID serves, which is stopped for a second. Meanwhile a write waits, another
// descriptor of the file is closed, parts are dropped from the page cache, and it is read in each way; a clock on the same thread has to go
// on. Exit code 0: it did, with both back ends; 1: it stood still; 2: something else failed.
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>

#include "base/system_clock.h"
#include "base/task_group.h"
#include "storage/system_disk.h"

namespace ccr::storage {
namespace {

using std::chrono::milliseconds;

constexpr auto hangs = milliseconds(1000), hangs_max = milliseconds(4000);  // the second: when our own thread stands still
constexpr auto tick = milliseconds(10), still_max = milliseconds(500);
constexpr std::size_t piece_bytes = 128 * KiB;

struct Server {
  pid_t pid;
  void stop() const { ::kill(pid, SIGSTOP); }
  void go_on() const { ::kill(pid, SIGCONT); }  // also of one that does
};

Task<Result<void>> read(File& file, std::uint64_t offset, std::size_t bytes, bool once) {
  Bytes into(bytes);
  const ByteSpan place(into);
  if (once) {
    CCR_CO_TRY(co_await file.read_once_at(offset, place));
  } else {
    CCR_CO_TRY(co_await file.read_at(offset, place));
  }
  co_return Result<void>();
}

Task<Result<void>> write(File& file, std::uint64_t offset) {
  const Bytes from(piece_bytes, std::byte{7});
  const ByteView content(from);
  co_return co_await file.write_at(offset, content);
}

// `longest`: the time between two ticks while the server is stopped.
Task<Result<void>> tick_while_it_hangs(Clock& clock, Server server, Duration& longest) {
  const Instant end = clock.now() + hangs;
  Instant before = clock.now();
  server.stop();
  while (clock.now() < end) {
    co_await clock.sleep(tick);
    longest = std::max(longest, clock.now() - before);
    before = clock.now();
  }
  server.go_on();
  co_return Result<void>();
}

Task<Result<Duration>> play(Clock& clock, Disk& disk, std::string path, Server server) {
  Result<std::unique_ptr<File>> kept = co_await disk.open(path, OpenMode::read_write);
  Result<std::unique_ptr<File>> closed = co_await disk.open(path, OpenMode::read_write);
  if (!kept.ok() || !closed.ok()) co_return kept.ok() ? closed.error() : kept.error();
  File& file = **kept;
  TaskGroup work(co_await asio::this_coro::executor);
  Duration longest{};
  work.spawn(tick_while_it_hangs(clock, server, longest));
  work.spawn(write(file, 0));
  co_await clock.sleep(5 * tick);  // it holds the file's lock in the kernel
  closed->reset();
  std::vector<FilePart> parts = {{0, 4 * piece_bytes}};
  work.spawn(file.forget(std::move(parts)));
  work.spawn(read(file, 4 * piece_bytes, piece_bytes, true));
  work.spawn(read(file, 5 * piece_bytes, 4 * KiB, false));
  CCR_CO_TRY(co_await work.join());
  co_return longest;
}

Result<Duration> play_on(DiskChoice choice, const std::string& path, Server server) {
  asio::io_context context;
  SystemClock clock;
  const std::unique_ptr<Disk> disk = open_system_disk(context.get_executor(), choice);
  Result<Duration> longest = Error{ErrorKind::io, "it did not end", ""};
  auto keep = [&]() -> Task<void> { longest = co_await play(clock, *disk, path, server); };
  asio::co_spawn(context, keep, asio::detached);
  std::jthread rescue([server](const std::stop_token& over) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait_for(lock, over, hangs_max, [] { return false; });
    server.go_on();
  });
  context.run();
  return longest;
}

int main_with(const std::string& path, Server server) {
  int code = 0;
  for (const DiskChoice choice : {DiskChoice::io_uring, DiskChoice::threads}) {
    const Result<Duration> longest = play_on(choice, path, server);
    if (!longest.ok()) {
      std::cerr << "failed: " << longest.error().message << "\n";
      return 2;
    }
    std::cout << (choice == DiskChoice::threads ? "threads" : "io_uring") << ": stood still for " << seconds_of(*longest) << " s\n";
    if (*longest > still_max) code = 1;
  }
  return code;
}

}  // namespace
}  // namespace ccr::storage

int main(int count, char** words) {
  if (count != 3) return 2;
  return ccr::storage::main_with(words[1], {static_cast<pid_t>(std::strtol(words[2], nullptr, 10))});
}
