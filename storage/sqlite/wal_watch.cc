#include "storage/sqlite/wal_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <ctime>

#include "base/assert.h"
#include "storage/file_replacement.h"

namespace ccr::storage::sqlite {

WalWatch::WalWatch() : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CCR_ASSERT(wake_ >= 0);
}

WalWatch::~WalWatch() {
  if (inotify_ >= 0) ::close(inotify_);
  ::close(wake_);
}

void WalWatch::watch(const std::string& database, const std::string& wal) {
  if (inotify_ < 0) return;
  for (int* each : {&database_watch_, &wal_watch_, &directory_watch_}) {
    if (*each >= 0) ::inotify_rm_watch(inotify_, *each);
    *each = -1;
  }
  database_watch_ = ::inotify_add_watch(inotify_, database.c_str(), IN_MODIFY);
  wal_watch_ = ::inotify_add_watch(inotify_, wal.c_str(), IN_MODIFY);
  directory_watch_ = ::inotify_add_watch(inotify_, directory_of(database).c_str(), IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO);
}

WalWatch::Seen WalWatch::wait(Duration limit, bool listening) {
  const bool deaf = inotify_ < 0 || wal_watch_ < 0;
  if (listening && deaf) limit = std::min(limit, blind_poll_max);
  pollfd ready[2] = {{wake_, POLLIN, 0}, {inotify_, POLLIN, 0}};
  const nfds_t count = listening && inotify_ >= 0 ? 2 : 1;
  timespec timeout{};
  timeout.tv_sec = limit.count() / 1'000'000'000;
  timeout.tv_nsec = limit.count() % 1'000'000'000;
  ::ppoll(ready, count, &timeout, nullptr);
  std::uint64_t wakes = 0;
  if ((ready[0].revents & POLLIN) != 0 && ::read(wake_, &wakes, sizeof wakes) < 0) wakes = 0;  // somebody else's turn took it: harmless
  return drain();
}

WalWatch::Seen WalWatch::drain() {
  Seen seen;
  if (inotify_ < 0) return seen;
  constexpr std::size_t drain_bytes = 8192;
  alignas(inotify_event) char buffer[drain_bytes];
  for (;;) {
    const ssize_t got = ::read(inotify_, buffer, sizeof buffer);
    if (got <= 0) return seen;
    for (ssize_t at = 0; at < got;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof event);
      if (event.wd == wal_watch_) seen.wal = true;
      if (event.wd == database_watch_) seen.database = true;
      if (event.wd == directory_watch_ || (event.mask & IN_Q_OVERFLOW) != 0) seen.directory = true;
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
}

void WalWatch::wait_precisely() noexcept { ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); }

void WalWatch::wake() noexcept {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then it is awake anyway.
  if (::write(wake_, &one, sizeof one) < 0) return;
}

Instant worker_now() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return {now.tv_sec * 1'000'000'000LL + now.tv_nsec};
}

}  // namespace ccr::storage::sqlite
