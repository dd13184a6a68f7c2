// WalWatch sleeps until something may have happened to a database: inotify on the file, its WAL and their directory, a wake() from another
// thread, or a time limit. Only a hint: every fact is read again from the wal-index and the files.
//
// Where inotify cannot be had (its instances are limited per user) waits end after blind_poll_max instead.
// Threads: wait() and watch() on the worker, wake() from anywhere. This is a seam file: descriptors, poll and the kernel's clock live here.
#pragma once

#include <string>

#include "base/clock.h"

namespace ccr::storage::sqlite {

class WalWatch {
 public:
  static constexpr Duration blind_poll_max = std::chrono::milliseconds(10);

  WalWatch();
  ~WalWatch();
  WalWatch(const WalWatch&) = delete;
  WalWatch& operator=(const WalWatch&) = delete;

  // Watches these instead of what was watched before; missing files are left out, the directory tells of their coming.
  void watch(const std::string& database, const std::string& wal);

  struct Seen {
    bool wal = false;        // the WAL was written or truncated
    bool database = false;   // the file was written
    bool directory = false;  // a name came or went
  };
  // listening = false leaves inotify's events where they are and sleeps: for short waits under load, where each write would wake us.
  Seen wait(Duration limit, bool listening);
  // For the calling thread: short waits end when they should, not up to 50 microseconds later.
  static void wait_precisely() noexcept;
  void wake() noexcept;

 private:
  Seen drain();

  int inotify_ = -1;
  int wake_ = -1;
  int database_watch_ = -1;
  int wal_watch_ = -1;
  int directory_watch_ = -1;
};

Instant worker_now() noexcept;  // CLOCK_BOOTTIME, as the Clock of production

}  // namespace ccr::storage::sqlite
