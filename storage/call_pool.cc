#include "storage/call_pool.h"

#include <pthread.h>

#include <csignal>

namespace ccr::storage {

CallPool::CallPool(std::size_t threads) {
  CCR_ASSERT(threads > 0);
  // Signals belong to the thread that watches them: a pool thread would answer SIGTERM by EINTR and SIGXFSZ by dying.
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigdelset(&blocked, fault);
  CCR_ASSERT(pthread_sigmask(SIG_SETMASK, &blocked, &before) == 0);
  threads_ = std::make_shared<asio::thread_pool>(threads);
  CCR_ASSERT(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
}

CallPool::~CallPool() { threads_->join(); }

}  // namespace ccr::storage
