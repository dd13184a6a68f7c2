// What the configuration file says, checked and with defaults filled in: engine/config.cc parses, this is what the rest sees.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "transport/network.h"

namespace ccr::engine {

enum class DatabaseKind { pages, sqlite };
const char* name_of(DatabaseKind kind) noexcept;

// When a page store's commit is answered (engine/commit_gate.h).
enum class CommitMode { async, received, durable };
const char* name_of(CommitMode mode) noexcept;

// What log is kept beside what copies need (engine/retention.h).
struct Retention {
  enum class Kind { circular, until_backup, keep };
  Kind kind = Kind::circular;
  Duration keep{0};
  std::string text() const;  // as it is written in the file
  bool operator==(const Retention&) const = default;
};

struct DatabaseConfig {
  std::string name;
  DatabaseKind kind = DatabaseKind::sqlite;
  std::string path;  // of the database file, {node} replaced. On a passive sqlite copy the page file is path + ".copy"
  std::string logs;  // directory, {node} replaced
  std::vector<std::string> copies;  // the first is the active one at the very first start
  std::uint64_t generation_bytes = 1 * MiB;
  std::uint64_t log_budget_bytes = 64 * GiB;
  Retention retention;
  bool log_budget_stops = false;                  // pages: at its end commits wait; false: log goes that a copy lacks, or that retention keeps
  std::uint64_t wal_limit_bytes = 4 * MiB;        // sqlite: above it a captured WAL is let go for a moment
  std::uint64_t wal_budget_bytes = 1 * GiB;       // sqlite: behind by more, a capture that waits lets the WAL go, and takes the difference; 0: never
  std::uint64_t catch_up_limit_bytes = 64 * MiB;  // sqlite: above it a base marker instead of a catch-up commit
  std::uint32_t page_size = 4096;                 // pages: of a new page store
  bool seed_auto = false;
  CommitMode commit = CommitMode::async;  // pages
  Duration commit_fallback{0};            // without another copy for so long: as async; 0: never
  std::string on_demote, on_promote;      // sqlite: commands for /bin/sh; empty: none
  std::map<std::string, Duration> replay_lag;      // of each node's copy, while it is a passive one (engine/replay_delay.h); absent: none
  std::map<std::string, Duration> truncation_lag;  // the same: for so long replayed log is kept
  bool has_copy(const std::string& node) const;
};
Duration lag_of(const std::map<std::string, Duration>& lags, const std::string& node);

// Histories of packed log streams, of all connections together. A stream gets at most half of what is left, and one with a history of 64 MiB
// takes 76 MiB on the active and 66 MiB on the passive side: so a node with one busy copy stays below 200 MB beside a database of 10 GiB,
// whose page digests are 20 MiB.
inline constexpr std::uint64_t compression_memory_default = 160 * MiB;

struct TransportConfig {
  std::string window = "auto";
  std::uint64_t window_bytes = 0;   // 0: auto
  std::string congestion = "auto";  // auto, default, or what some kernel may know
  std::string compression = "auto", streams = "auto";
  std::uint64_t compression_memory_bytes = compression_memory_default;
  std::uint64_t seed_bytes_per_second = 0;  // 0: unlimited
  Duration heartbeat_interval = std::chrono::milliseconds(1200);
  int heartbeat_missed = 4;
  Duration silence_max() const noexcept { return heartbeat_interval * heartbeat_missed; }  // then a peer is dead
};

// A tenth of what a fast disk reads: programs on the active node do not feel it, and a database of 10 GiB takes a minute a side.
inline constexpr std::uint64_t verify_bytes_per_second_default = 200'000'000;

// A pass of each copy in a week, at a rate that no program feels.
struct ScrubConfig {
  Duration every = std::chrono::hours(7 * 24);  // 0: off
  std::uint64_t bytes_per_second = 20'000'000;  // 0: unlimited
  bool only_idle = false;
};

inline constexpr std::size_t addresses_max = 8;  // of a node
inline constexpr int streams_max = 64;           // of a seed

struct NodeConfig {
  std::string name;
  std::vector<transport::Endpoint> addresses;
  std::vector<std::string> pins;  // SHA-256 of the keys one of which it must prove, in hex; none: any key that its authority signed
};

inline constexpr std::size_t pins_max = 2;  // the key in use, and the one that follows it
inline constexpr std::size_t denied_max = 256;

struct Config {
  std::string cluster;
  std::string node;       // this node; empty when the file was checked for none in particular
  std::string state_dir;  // {node} replaced
  std::string control_socket;
  bool tls_off = false;
  std::string tls_ca = "/etc/ccr/tls/ca.pem";  // {node} replaced in all three; not in force while tls_off
  std::string tls_cert = "/etc/ccr/tls/{node}.pem";
  std::string tls_key = "/etc/ccr/tls/{node}.key";
  std::vector<std::string> tls_denied;  // serial numbers of certificates that are not believed any more, in hex
  std::map<std::string, NodeConfig> nodes;
  std::map<std::string, DatabaseConfig> databases;
  TransportConfig transport;
  std::uint64_t verify_bytes_per_second = verify_bytes_per_second_default;  // of one verification, on each side; 0: unlimited
  ScrubConfig scrub;
  std::vector<std::string> warnings;  // what is accepted, and should be looked at
};

// `text` is the file's content, `file` its name for messages ("ccr.toml:12:3: …"). Unknown keys, wrong types and values out of
// range are errors with file, line, column and 'did you mean'; of several the one nearest the top of the file is the answer. An
// empty `node` checks the file for no node in particular: {node} then stays in the paths.
Result<Config> parse_config(const std::string& text, const std::string& file, const std::string& node);

// The configuration in force as TOML, defaults included.
std::string show_config(const Config& config);

// The word of `candidates` nearest to `word` (edit distance at most 2, or a third of its length), or nullopt.
std::optional<std::string> did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

// "80MB", "80MiB", "1GiB", "4096": bytes. "80MB/s", "1Gbit": bytes per second; "unlimited" is 0. "1.2s", "30s", "5m", "500ms".
// The error is ErrorKind::usage with what was expected and found.
Result<std::uint64_t> parse_size(const std::string& text);
Result<std::uint64_t> parse_rate(const std::string& text);
Result<Duration> parse_duration(const std::string& text);

}  // namespace ccr::engine
