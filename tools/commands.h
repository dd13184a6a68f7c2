// What each command of `ccr` does, once its arguments are read (tools/command_line.h). Each prints its result to stdout, says what
// went wrong on stderr, and answers with the exit code.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "tools/exit_code.h"
#include "tools/terminal.h"

namespace ccr::tools {

struct CommonOptions {
  std::string config_file;
  std::string node;  // empty: the host's name
  bool json = false;
  ColorChoice color = ColorChoice::automatic;
};

// DB or DB@NODE.
struct Target {
  std::string database, node;
};
Result<Target> parse_target(const std::string& text);
Result<Target> parse_copy(const std::string& text);  // the node must be named
// A bare number counts seconds, as the option's name says; 5m is as good. Above 0.
Result<double> parse_seconds(const std::string& text);

struct StatusOptions {
  std::string target;
  bool watch = false, verbose = false;
};
struct CheckOptions {
  bool all = false;  // also what is well
};
struct WaitOptions {
  std::string target, state = "healthy", timeout = "30s";
};
struct SeedOptions {
  std::string target, from, rate, streams = "auto";
  std::string all_of;  // a node: all its passive copies
  bool full = false, reread = false, manual_resume = false, detach = false, dry_run = false, yes = false;
};
struct SuspendOptions {
  std::string target, comment;
  bool dry_run = false;
};
struct ResumeOptions {
  std::string target;
  bool dry_run = false;
};
struct VerifyOptions {
  std::string target, rate;
  bool cancel = false;
};
struct BackupOptions {
  std::string target, directory, rate;
  bool cancel = false, copy_only = false;
};
struct LoadOptions {
  std::string database, rate, pattern = "oltp";
  std::string seconds = "10";
  unsigned transaction_pages = 0;
  bool dry_run = false;
};
struct BenchOptions {
  std::string database, peer, seconds, bytes, window, congestion;
  unsigned streams = 0;  // 0: 1, 2 and 4
  std::string rate;      // of ship; empty: unlimited
  unsigned clients = 0, transaction_pages = 0;  // of ship; 0: the daemon's own
  unsigned databases = 0;                       // of seed; 0: one
};
struct ReportOptions {
  std::string run, old, html;
};
struct ScrubOptions {
  std::string target, rate;
  bool cancel = false;
};
struct DrillOptions {
  std::string name, target, report;
  std::string seed_rate, load_rate = "2MB/s", timeout = "1h", link_seconds = "4";
  std::string seconds = "10", peer_socket, full = "log";  // of drills with two nodes
  unsigned cuts = 3;
  bool load = false, on_active = false, yes = false, dry_run = false;
};
struct MoveOptions {
  std::string database, to;
  bool dry_run = false;
};
struct ActivateOptions {
  std::string database, on, dial = "good", until;
  bool yes = false, dry_run = false;
};
struct AddOptions {
  std::string target, kind = "sqlite", path, logs;
  std::vector<std::string> copies;
  bool dry_run = false;
};
struct ForgetOptions {
  std::string target;
  bool dry_run = false, yes = false;
};
struct EventsOptions {
  std::string target;
  bool follow = false;
};

struct CertOptions {
  std::string node, directory, cluster;
  std::string request, passphrase_file;  // files
  int days = 0;  // 0: a year for a node, ten for an authority
  bool dry_run = false;
};

struct TuneOptions {
  std::string rate, round_trip, log_rate;
  std::string peer, seconds;  // a peer is measured; without one rate and round trip say what the link is
  std::uint32_t mtu = 1500;
  double head_room = 2;
  bool sysctl = false;
};

ExitCode run_serve(const CommonOptions& common);
ExitCode run_config_check(const CommonOptions& common);
ExitCode run_config_show(const CommonOptions& common);
ExitCode run_status(const CommonOptions& common, const StatusOptions& options);
ExitCode run_check(const CommonOptions& common, const CheckOptions& options);
ExitCode run_wait(const CommonOptions& common, const WaitOptions& options);
ExitCode run_seed(const CommonOptions& common, const SeedOptions& options);
// `request`: of a seed, without its database.
ExitCode run_seed_all(const CommonOptions& common, const std::string& node, const nlohmann::json& request);
ExitCode run_suspend(const CommonOptions& common, const SuspendOptions& options);
ExitCode run_resume(const CommonOptions& common, const ResumeOptions& options);
ExitCode run_verify(const CommonOptions& common, const VerifyOptions& options);
ExitCode run_scrub(const CommonOptions& common, const ScrubOptions& options);
ExitCode run_backup(const CommonOptions& common, const BackupOptions& options);
ExitCode run_move(const CommonOptions& common, const MoveOptions& options);
ExitCode run_activate(const CommonOptions& common, const ActivateOptions& options);
ExitCode run_add(const CommonOptions& common, const AddOptions& options);
ExitCode run_forget(const CommonOptions& common, const ForgetOptions& options);
ExitCode run_load(const CommonOptions& common, const LoadOptions& options);
ExitCode run_bench(const CommonOptions& common, const std::string& kind, const BenchOptions& options);
ExitCode run_report(const ReportOptions& options);
Result<void> write_page(const std::string& page, const std::string& file);
ExitCode run_drill(const CommonOptions& common, const DrillOptions& options);
ExitCode run_log_show(const CommonOptions& common, const std::string& file);
ExitCode run_log_why(const CommonOptions& common, const std::string& database, const std::string& generation);
ExitCode run_log_verify(const CommonOptions& common, const std::string& directory);
ExitCode run_events(const CommonOptions& common, const EventsOptions& options);
ExitCode run_cert_ca(const CommonOptions& common, const CertOptions& options);
ExitCode run_cert_issue(const CommonOptions& common, const CertOptions& options);
ExitCode run_cert_request(const CommonOptions& common, const CertOptions& options);
ExitCode run_cert_renew(const CommonOptions& common, const CertOptions& options);
ExitCode run_cert_show(const CommonOptions& common, const std::vector<std::string>& files);
ExitCode run_tune(const CommonOptions& common, const TuneOptions& options);
ExitCode run_version(const CommonOptions& common);

}  // namespace ccr::tools
