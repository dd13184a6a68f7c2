// SystemDiskTest runs a test on each production back end of the Disk seam, in a directory of its own under /tmp.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include "storage/system_disk.h"

namespace ccr::storage {

class TestDirectory {
 public:
  TestDirectory() {
    std::string pattern = "/tmp/ccr-disk-XXXXXX";
    CCR_ASSERT(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TestDirectory() { std::filesystem::remove_all(path_); }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class SystemDiskTest : public testing::TestWithParam<DiskChoice> {
 protected:
  static constexpr auto run_max = std::chrono::seconds(60);

  void SetUp() override {
    if (GetParam() != DiskChoice::io_uring) return;
    asio::io_context context;
    const auto refusal = io_uring_refusal(context.get_executor());
    if (refusal) GTEST_SKIP() << refusal->message;
  }

  std::string at(const std::string& name) const { return directory_.path() + "/" + name; }

  // Runs one task on a fresh disk until nothing is left to do; that the context ends by itself is part of every test.
  template <class Body>
  void run(Body body) {
    asio::io_context context;
    const std::unique_ptr<Disk> disk = open_system_disk(context.get_executor(), GetParam());
    bool ended = false;
    auto on_end = [&](std::exception_ptr failure) {
      EXPECT_EQ(failure, nullptr);
      ended = true;
    };
    asio::co_spawn(context, body(*disk), on_end);
    context.run_for(run_max);
    EXPECT_TRUE(ended);
    EXPECT_TRUE(context.stopped());
  }

  TestDirectory directory_;
};

inline Bytes pattern(std::size_t size, unsigned seed) {
  Bytes bytes(size);
  constexpr std::size_t period = 256 * 251;  // i * 31 comes back after 256, i / 251 too
  const std::size_t own = std::min(size, period);
  for (std::size_t i = 0; i < own; ++i) bytes[i] = static_cast<std::byte>((i * 31 + i / 251 + seed * 97 + 1) & 0xff);
  for (std::size_t done = own; done < size; done += period) std::memcpy(&bytes[done], bytes.data(), std::min(period, size - done));
  return bytes;
}

inline Task<std::unique_ptr<File>> opened(Disk& disk, std::string path, OpenMode mode) {
  Result<std::unique_ptr<File>> file = co_await disk.open(path, mode);
  CCR_ASSERT(file.ok());
  co_return std::move(*file);
}

inline std::string back_end_name(const testing::TestParamInfo<DiskChoice>& choice) {
  return choice.param == DiskChoice::threads ? "threads" : "io_uring";
}

}  // namespace ccr::storage
