// An ordinary program that uses a SQLite database, for the tests of the capture: it knows nothing of ccr. Its busy timeout is 0 unless said.
//
//   sqlite_app DB run SQL…                 runs each statement
//   sqlite_app DB write SECONDS [PRAGMA…]  small transactions as fast as it can
//   sqlite_app DB share SECONDS            the same with a busy timeout, beside other writers
//   sqlite_app DB pace SECONDS             the same, pausing a millisecond between two transactions
//   sqlite_app DB truncate SECONDS PAUSE_MS  wal_checkpoint(TRUNCATE) again and again, with a busy timeout
//   sqlite_app DB hold SECONDS SQL…        runs the statements, says "ready", keeps the database open
// Prints one line of name=value pairs at its end.
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point since) { return std::chrono::duration<double, std::milli>(Clock::now() - since).count(); }

struct Application {
  sqlite3* database = nullptr;
  int busy = 0;
  int errors = 0;

  bool run(const std::string& sql) {
    char* message = nullptr;
    const int rc = sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message);
    if (rc == SQLITE_BUSY) {
      ++busy;
    } else if (rc != SQLITE_OK) {
      ++errors;
      std::fprintf(stderr, "%s: %s\n", sql.c_str(), message != nullptr ? message : "?");
    }
    sqlite3_free(message);
    return rc == SQLITE_OK;
  }
};

constexpr useconds_t retry_us = 1000;
constexpr double truncate_ms_max = 20'000;

void print_percentiles(std::vector<float>& latencies_ms) {
  if (latencies_ms.empty()) latencies_ms.push_back(0);
  std::sort(latencies_ms.begin(), latencies_ms.end());
  const auto share = [&](double part) { return latencies_ms[static_cast<std::size_t>(static_cast<double>(latencies_ms.size() - 1) * part)]; };
  std::printf("p50_ms=%.3f p99_ms=%.3f p999_ms=%.3f worst_ms=%.3f ", share(0.5), share(0.99), share(0.999), latencies_ms.back());
}

void write(Application& application, double seconds, bool shared, useconds_t pause_us) {
  if (shared) sqlite3_busy_timeout(application.database, 5000);
  application.run("CREATE TABLE IF NOT EXISTS load(id INTEGER PRIMARY KEY, a INT, body BLOB)");
  const Clock::time_point start = Clock::now();
  std::vector<float> latencies;
  int commits = 0;
  while (milliseconds_since(start) < seconds * 1000) {
    const Clock::time_point begin = Clock::now();
    const std::string key = std::to_string(std::rand() % 20000);
    const bool done = application.run("BEGIN IMMEDIATE") &&
                      application.run("INSERT OR REPLACE INTO load VALUES(" + key + ", random(), randomblob(200))") &&
                      application.run("UPDATE load SET a = a + 1 WHERE id = " + key + " / 2") && application.run("COMMIT");
    commits += done ? 1 : 0;
    if (!done) application.run("ROLLBACK");
    if (pause_us > 0) usleep(pause_us);
    latencies.push_back(static_cast<float>(milliseconds_since(begin)));
  }
  std::printf("commits=%d rate=%.0f ", commits, commits / (milliseconds_since(start) / 1000));
  print_percentiles(latencies);
}

// Each is tried again until it is done: while an autocheckpoint of the writer runs SQLite answers busy at once.
void truncate(Application& application, double seconds, int pause_ms) {
  sqlite3_busy_timeout(application.database, 5000);
  application.run("SELECT count(*) FROM sqlite_schema");  // a connection that has read nothing has no WAL to checkpoint
  const Clock::time_point start = Clock::now();
  std::vector<float> latencies;
  int refused = 0;
  while (milliseconds_since(start) < seconds * 1000) {
    const Clock::time_point begin = Clock::now();
    while (sqlite3_wal_checkpoint_v2(application.database, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr) != SQLITE_OK) {
      ++refused;
      usleep(retry_us);
      if (milliseconds_since(begin) > truncate_ms_max) break;
    }
    latencies.push_back(static_cast<float>(milliseconds_since(begin)));
    usleep(static_cast<useconds_t>(pause_ms) * 1000);
  }
  std::printf("truncates=%zu refused=%d ", latencies.size(), refused);
  print_percentiles(latencies);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  Application application;
  if (sqlite3_open(argv[1], &application.database) != SQLITE_OK) return 1;
  sqlite3_busy_timeout(application.database, 0);
  const std::string_view role = argv[2];
  const double seconds = argc > 3 ? std::atof(argv[3]) : 0;
  if (role == "run") {
    for (int i = 3; i < argc; ++i) application.run(argv[i]);
  } else if (role == "write" || role == "share" || role == "pace") {
    for (int i = 4; i < argc; ++i) application.run(argv[i]);
    write(application, seconds, role != "write", role == "pace" ? 1000 : 0);
  } else if (role == "truncate") {
    truncate(application, seconds, argc > 4 ? std::atoi(argv[4]) : 5);
  } else if (role == "hold") {
    for (int i = 4; i < argc; ++i) application.run(argv[i]);
    std::printf("ready\n");
    std::fflush(stdout);
    usleep(static_cast<useconds_t>(seconds * 1e6));
  }
  std::printf("busy=%d errors=%d\n", application.busy, application.errors);
  sqlite3_close(application.database);
  return application.errors == 0 ? 0 : 1;
}
