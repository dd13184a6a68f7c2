#include "storage/submission_ring.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "storage/posix_error.h"

namespace ccr::storage {
namespace {

// The length of an entry has 32 bits and the kernel transfers a page less than 2 GiB at once; the rest is continued.
constexpr std::uint64_t transfer_bytes_max = 1 * GiB;

// Reads from here on go to a worker; below, copying from the page cache inside the submission is cheaper than the hand-over
// (bench/disk_bench).
constexpr std::uint64_t worker_read_bytes_min = 64 * KiB;

// Kernel threads that wait for the disk in our stead. By default the kernel starts 4 per core, and as many syncs as that keep every
// read waiting; with 32 logs appended and synced at once on 2 cores, 32 workers carry half as much again (bench/disk_bench).
constexpr unsigned workers_max = 32;

// Completion entries taken from the ring at once.
constexpr unsigned reap_batch = 64;

constexpr std::array<unsigned, 4> operations_used = {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC, IORING_OP_FALLOCATE};

// The shared library of liburing 2.3 (Debian 12) declares io_uring_register_restrictions and io_uring_enable_rings, but lacks them.
int register_with(const io_uring& ring, unsigned what, const void* argument, unsigned count) {
  return ::syscall(__NR_io_uring_register, ring.ring_fd, what, argument, count) < 0 ? -errno : 0;
}

// A ring that can do nothing but what this file asks of it: seccomp does not see inside a ring.
int restrict_operations(const io_uring& ring) {
  std::array<io_uring_restriction, operations_used.size() + 1> rules{};
  for (std::size_t i = 0; i < operations_used.size(); ++i) {
    rules[i].opcode = IORING_RESTRICTION_SQE_OP;
    rules[i].sqe_op = static_cast<std::uint8_t>(operations_used[i]);
  }
  rules.back().opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  rules.back().sqe_flags = IOSQE_ASYNC;
  return register_with(ring, IORING_REGISTER_RESTRICTIONS, rules.data(), static_cast<unsigned>(rules.size()));
}

int initialize(io_uring& ring) {
  // COOP_TASKRUN spares the node's thread an interrupt per completion; kernels before 5.19 do not know it.
  const int failed = io_uring_queue_init(SubmissionRing::entries, &ring, IORING_SETUP_R_DISABLED | IORING_SETUP_COOP_TASKRUN);
  if (failed != -EINVAL) return failed;
  return io_uring_queue_init(SubmissionRing::entries, &ring, IORING_SETUP_R_DISABLED);
}

// What is left to be said before the ring takes entries.
int enable(io_uring& ring, int event) {
  if (const int failed = io_uring_register_eventfd(&ring, event); failed < 0) return failed;
  std::array<unsigned, 2> workers = {workers_max, 0};         // bounded ones; 0 leaves the others as they are
  io_uring_register_iowq_max_workers(&ring, workers.data());  // kernels before 5.15 keep their own number
  if (const int failed = restrict_operations(ring); failed < 0) return failed;
  return register_with(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
}

// A request that the kernel put down without having begun it, or in the middle of it. Cancelled is what happens to the requests
// of a thread that ended. An interrupted sync is not one of them: it must not be tried again.
bool asks_for_another_try(RingRequest::Kind kind, int result) noexcept {
  if (result == -ECANCELED) return true;
  return kind != RingRequest::Kind::sync && (result == -EINTR || result == -EAGAIN);
}

// Also when the kernel is short of memory or of room for completions: what it did not take stays prepared for the next turn.
bool submission_went_on(int taken) noexcept {
  return taken >= 0 || taken == -EINTR || taken == -EAGAIN || taken == -EBUSY || taken == -ENOMEM;
}

bool transfers(RingRequest::Kind kind) noexcept { return kind == RingRequest::Kind::read || kind == RingRequest::Kind::write; }

}  // namespace

Result<std::shared_ptr<SubmissionRing>> SubmissionRing::open(const Executor& executor) {
  io_uring ring{};
  if (const int failed = initialize(ring); failed < 0) return posix_error("set up io_uring", -failed);
  const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int failed = event < 0 ? -errno : enable(ring, event);
  if (failed >= 0) return std::make_shared<SubmissionRing>(executor, ring, event);
  io_uring_queue_exit(&ring);
  if (event >= 0) ::close(event);
  return posix_error("set up io_uring", -failed);
}

SubmissionRing::SubmissionRing(const Executor& executor, const io_uring& ring, int event)
    : executor_(executor), ring_(ring), event_(executor, event) {}

SubmissionRing::~SubmissionRing() {
  while (in_flight_ > 0 || !waiting_.empty()) {
    prepare_waiting();
    CCR_ASSERT(submission_went_on(io_uring_submit_and_wait(&ring_, 1)));
    reap();
  }
  io_uring_queue_exit(&ring_);
}

void SubmissionRing::enqueue(std::unique_ptr<Operation> operation) {
  waiting_.push_back(std::move(operation));
  schedule_turn();
}

void SubmissionRing::schedule_turn() {
  if (turn_scheduled_) return;
  if (in_flight_ >= entries && io_uring_sq_ready(&ring_) == 0) return;  // a full ring goes on when something completes
  turn_scheduled_ = true;
  asio::post(executor_, [weak = weak_from_this()] {
    const std::shared_ptr<SubmissionRing> self = weak.lock();
    if (!self) return;
    self->turn_scheduled_ = false;
    self->turn();
  });
}

// Submits, takes what completed at once, and leaves the rest to the eventfd. One turn handles at most `entries` operations, so that
// a long queue of cheap ones does not keep the other tasks waiting.
void SubmissionRing::turn() {
  prepare_waiting();
  if (io_uring_sq_ready(&ring_) > 0) CCR_ASSERT(submission_went_on(io_uring_submit(&ring_)));
  if (io_uring_cq_ready(&ring_) > 0) {
    if (!watching_) forget_announcements();  // a watch that is set must hear of them, or it would wait for ever
    reap();
  }
  if (!waiting_.empty() || io_uring_sq_ready(&ring_) > 0) schedule_turn();
  watch();
}

// Before completions are taken, never after: one that arrives in between is announced again.
void SubmissionRing::forget_announcements() {
  eventfd_t announced = 0;
  ::eventfd_read(event_.native_handle(), &announced);
}

void SubmissionRing::prepare_waiting() {
  while (!waiting_.empty() && in_flight_ < entries) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (!entry) break;
    Operation* operation = waiting_.front().release();
    waiting_.pop_front();
    prepare(*entry, *operation);
    io_uring_sqe_set_data(entry, operation);
    ++in_flight_;
  }
}

void SubmissionRing::prepare(io_uring_sqe& entry, Operation& operation) {
  const RingRequest& request = operation.request;
  const int descriptor = request.file->descriptor();
  const auto length = static_cast<unsigned>(std::min(request.length - operation.done, transfer_bytes_max));
  const std::uint64_t offset = request.offset + operation.done;
  switch (request.kind) {
    case RingRequest::Kind::read:
      io_uring_prep_read(&entry, descriptor, request.bytes + operation.done, length, offset);
      break;
    case RingRequest::Kind::write:
      io_uring_prep_write(&entry, descriptor, request.bytes + operation.done, length, offset);
      break;
    case RingRequest::Kind::sync:
      io_uring_prep_fsync(&entry, descriptor, IORING_FSYNC_DATASYNC);
      break;
    case RingRequest::Kind::allocate:
      io_uring_prep_fallocate(&entry, descriptor, 0, 0, static_cast<off_t>(request.length));
      break;
  }
  const bool large_read = request.kind == RingRequest::Kind::read && length >= worker_read_bytes_min;
  if (large_read || request.file->may_wait()) io_uring_sqe_set_flags(&entry, IOSQE_ASYNC);
}

void SubmissionRing::reap() {
  std::array<io_uring_cqe*, reap_batch> batch{};
  while (const unsigned count = io_uring_peek_batch_cqe(&ring_, batch.data(), reap_batch)) {
    for (unsigned i = 0; i < count; ++i) {
      std::unique_ptr<Operation> operation(static_cast<Operation*>(io_uring_cqe_get_data(batch[i])));
      CCR_ASSERT(operation && in_flight_ > 0);
      --in_flight_;
      settle(std::move(operation), batch[i]->res);
    }
    io_uring_cq_advance(&ring_, count);
  }
}

void SubmissionRing::settle(std::unique_ptr<Operation> operation, int result) {
  const RingRequest& request = operation->request;
  if (asks_for_another_try(request.kind, result)) {
    waiting_.push_back(std::move(operation));
    return;
  }
  if (result < 0) {
    operation->finish({operation->done, -result});
    return;
  }
  if (!transfers(request.kind)) {
    operation->finish({0, 0});
    return;
  }
  operation->done += static_cast<std::uint64_t>(result);
  CCR_ASSERT(operation->done <= request.length);
  if (result > 0 && operation->done < request.length) {
    waiting_.push_back(std::move(operation));
    return;
  }
  // A write that takes nothing and says no reason would never end.
  const bool stuck = request.kind == RingRequest::Kind::write && operation->done < request.length;
  operation->finish({operation->done, stuck ? EIO : 0});
}

// Watches the eventfd while something is in flight, and only then: a waiting handler keeps the context running.
void SubmissionRing::watch() {
  if (watching_ || in_flight_ == 0) return;
  watching_ = true;
  event_.async_wait(asio::posix::stream_descriptor::wait_read, [weak = weak_from_this()](const asio::error_code& error) {
    const std::shared_ptr<SubmissionRing> self = weak.lock();
    if (!self) return;
    CCR_ASSERT(!error);
    self->watching_ = false;
    self->forget_announcements();
    self->turn();
  });
}

}  // namespace ccr::storage
