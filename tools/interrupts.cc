#include "tools/interrupts.h"

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/assert.h"

namespace ccr::tools {

Interrupts::Interrupts() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGINT);
  sigaddset(&wanted, SIGTERM);
  CCR_ASSERT(pthread_sigmask(SIG_BLOCK, &wanted, &before_) == 0);
  descriptor_ = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
  CCR_ASSERT(descriptor_ >= 0);
}

// A signal that is pending was meant for the wait that is over: it is taken away, so that the answer can still be printed.
Interrupts::~Interrupts() {
  signalfd_siginfo taken{};
  while (::read(descriptor_, &taken, sizeof taken) == sizeof taken) {}
  ::close(descriptor_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool interrupted_within(int descriptor, int milliseconds) {
  pollfd wait{descriptor, POLLIN, 0};
  return ::poll(&wait, 1, milliseconds) != 0;
}

}  // namespace ccr::tools
