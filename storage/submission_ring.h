// SubmissionRing carries reads, writes, syncs and allocations to the kernel through io_uring, and their results back to the tasks.
//
// Completion: run() completes on the awaiting task's executor when the kernel has finished: everything transferred, the end of the
// file met, or an error. Short transfers are continued here, so a stopped task does not leave half of a write that would have gone
// on; the buffer and the file are the kernel's until completion, and nothing cancels an operation.
// How: requests of one executor turn are submitted together by one system call; the ring's eventfd, watched by Asio only while
// something is in flight, announces completions. Large reads go to the kernel's workers at once: copying them out of the page
// cache inside the submission would stop every other task of the node meanwhile. So does everything on a file system that may wait for
// its server even where it is told not to: FUSE writes inside the submission.
// Lifetime: the destructor waits until the kernel has given everything back; its tasks are then resumed by their context, or
// destroyed with it. The executor's context outlives the ring. Threads: the node's executor only.
// Bounds: `entries` operations at the kernel; further ones wait here in order, one per awaiting task.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>

#include "base/task.h"
#include "storage/posix_file_calls.h"

namespace ccr::storage {

struct RingRequest {
  enum class Kind : std::uint8_t { read, write, sync, allocate };
  Kind kind = Kind::sync;
  SharedFile file;
  std::uint64_t offset = 0;    // read, write
  std::byte* bytes = nullptr;  // read, write; a write only reads from it
  std::uint64_t length = 0;    // read, write: of bytes; allocate: the size of the file
};

struct RingOutcome {
  std::uint64_t done = 0;  // bytes transferred before the end or the error
  int number = 0;          // errno, 0 when it went well
};

class SubmissionRing : public std::enable_shared_from_this<SubmissionRing> {
 public:
  static constexpr unsigned entries = 256;

  // Error: the kernel refuses io_uring here (too old, a sysctl, seccomp, locked memory); the message says which.
  static Result<std::shared_ptr<SubmissionRing>> open(const Executor& executor);

  SubmissionRing(const Executor& executor, const io_uring& ring, int event);  // takes both over
  ~SubmissionRing();
  SubmissionRing(const SubmissionRing&) = delete;
  SubmissionRing& operator=(const SubmissionRing&) = delete;

  Task<RingOutcome> run(RingRequest request) {
    auto start = [this](auto handler, RingRequest wanted) {
      using Handler = decltype(handler);
      enqueue(std::make_unique<HandledOperation<Handler>>(std::move(wanted), std::move(handler)));
    };
    return asio::async_initiate<const asio::use_awaitable_t<>, void(RingOutcome)>(std::move(start), asio::use_awaitable,
                                                                                  std::move(request));
  }

 private:
  struct Operation {
    explicit Operation(RingRequest wanted) : request(std::move(wanted)) {}
    virtual ~Operation() = default;
    virtual void finish(RingOutcome outcome) = 0;  // posts: never runs the task inside the ring

    RingRequest request;
    std::uint64_t done = 0;
  };

  template <class Handler>
  struct HandledOperation final : Operation {
    HandledOperation(RingRequest wanted, Handler waiting) : Operation(std::move(wanted)), handler(std::move(waiting)) {}
    void finish(RingOutcome outcome) override {
      auto executor = asio::get_associated_executor(handler);
      auto resume = [waiting = std::move(handler), outcome]() mutable { waiting(outcome); };
      asio::post(executor, std::move(resume));
    }
    Handler handler;
  };

  void enqueue(std::unique_ptr<Operation> operation);
  void schedule_turn();
  void turn();
  void forget_announcements();
  void prepare_waiting();
  void prepare(io_uring_sqe& entry, Operation& operation);
  void reap();
  void settle(std::unique_ptr<Operation> operation, int result);
  void watch();

  Executor executor_;
  io_uring ring_;
  asio::posix::stream_descriptor event_;
  std::deque<std::unique_ptr<Operation>> waiting_;
  std::size_t in_flight_ = 0;  // prepared or at the kernel
  bool turn_scheduled_ = false;
  bool watching_ = false;
};

}  // namespace ccr::storage
