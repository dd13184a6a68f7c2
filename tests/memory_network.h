// Two connected ends in memory, for tests of what stands above the Network seam: bounded pipes, reads of a chosen size at most.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "base/signal.h"
#include "transport/network.h"

namespace ccr::transport {

struct MemoryPipe {
  explicit MemoryPipe(const Executor& executor) : changed(executor) {}
  static constexpr std::size_t bytes_max = 256 * KiB;
  Signal changed;
  Bytes bytes;
  bool closed = false;
};

class MemoryConnection final : public Connection {
 public:
  MemoryConnection(std::shared_ptr<MemoryPipe> in, std::shared_ptr<MemoryPipe> out, std::size_t read_bytes_max)
      : in_(std::move(in)), out_(std::move(out)), read_bytes_max_(read_bytes_max) {}
  ~MemoryConnection() override { MemoryConnection::close(); }

  Task<Result<std::size_t>> read_some(ByteSpan into) override {
    while (in_->bytes.empty() && !in_->closed) co_await in_->changed.wait();
    if (in_->bytes.empty()) co_return Error{ErrorKind::disconnected, "the peer closed the connection", ""};
    const std::size_t count = std::min({into.size(), in_->bytes.size(), read_bytes_max_});
    std::copy_n(in_->bytes.begin(), count, into.begin());
    in_->bytes.erase(in_->bytes.begin(), in_->bytes.begin() + std::ptrdiff_t(count));
    in_->changed.notify();
    co_return count;
  }

  Task<Result<void>> write(std::span<const ByteView> pieces) override {
    for (ByteView piece : pieces) {
      while (!piece.empty()) {
        while (out_->bytes.size() >= MemoryPipe::bytes_max && !out_->closed) co_await out_->changed.wait();
        if (out_->closed) co_return Error{ErrorKind::disconnected, "the connection is closed", ""};
        const std::size_t count = std::min(piece.size(), MemoryPipe::bytes_max - out_->bytes.size());
        out_->bytes.insert(out_->bytes.end(), piece.begin(), piece.begin() + std::ptrdiff_t(count));
        piece = piece.subspan(count);
        out_->changed.notify();
      }
    }
    co_return Result<void>();
  }

  void close() override {
    for (MemoryPipe* pipe : {in_.get(), out_.get()}) {
      pipe->closed = true;
      pipe->changed.notify();
    }
  }
  Endpoint peer() const override { return {"127.0.0.1", 1}; }
  ConnectionFacts facts() const override { return {}; }
  Bytes& incoming() { return in_->bytes; }  // what is on its way here, to be spoilt

 private:
  std::shared_ptr<MemoryPipe> in_, out_;
  std::size_t read_bytes_max_;
};

struct MemoryPair {
  std::unique_ptr<Connection> left, right;
};

inline MemoryPair memory_pair(const Executor& executor, std::size_t read_bytes_max = 64 * KiB) {
  const auto to_right = std::make_shared<MemoryPipe>(executor);
  const auto to_left = std::make_shared<MemoryPipe>(executor);
  return {std::make_unique<MemoryConnection>(to_left, to_right, read_bytes_max),
          std::make_unique<MemoryConnection>(to_right, to_left, read_bytes_max)};
}

}  // namespace ccr::transport
