// WatchedFile is a file that tells of each read before it is made.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "storage/disk.h"

namespace ccr::storage {

class WatchedFile final : public File {
 public:
  using BeforeRead = std::function<void(std::uint64_t offset)>;

  WatchedFile(std::unique_ptr<File> file, BeforeRead before) : file_(std::move(file)), before_(std::move(before)) {}
  Task<Result<std::size_t>> read_at(std::uint64_t offset, ByteSpan into) override {
    before_(offset);
    co_return co_await file_->read_at(offset, into);
  }
  Task<Result<void>> write_at(std::uint64_t offset, ByteView from) override { co_return co_await file_->write_at(offset, from); }
  Task<Result<void>> sync() override { co_return co_await file_->sync(); }
  Task<Result<void>> truncate(std::uint64_t size) override { co_return co_await file_->truncate(size); }
  Task<Result<void>> allocate(std::uint64_t size) override { co_return co_await file_->allocate(size); }
  Task<Result<std::uint64_t>> size() override { co_return co_await file_->size(); }

 private:
  std::unique_ptr<File> file_;
  BeforeRead before_;
};

}  // namespace ccr::storage
