// longer because: it is one list, of every command with its options.
#include "tools/command_line.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "engine/config.h"
#include "tools/commands.h"
#include "tools/config_file.h"

namespace ccr::tools {
namespace {

constexpr const char* description =
    "ccr keeps a second, proven copy of a database on another host.\n\n"
    "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 daemon or peer not reachable, 4 refused, 5 difference or damage,\n"
    "6 waited too long, 10 warnings, 11 failed checks, 130 interrupted.";

class CommandLine {
 public:
  CommandLine();
  ExitCode run(int count, const char* const* arguments);

 private:
  CLI::App* add(CLI::App& parent, const std::string& name, const std::string& about, std::function<ExitCode()> action);
  CLI::App* group(const std::string& name, const std::string& about);
  void add_common();
  void add_node_commands();
  void add_status_commands();
  void add_copy_commands();
  void add_handovers();
  void add_membership();
  void add_load();
  void add_bench();
  void add_bench_seed(CLI::App& bench);
  void add_log_commands();
  void add_cert_commands();
  void add_tune();
  void add_report();
  void add_drill();

  const CLI::App& deepest() const;
  ExitCode unknown_word(const std::string& word) const;
  ExitCode misused(const std::string& message) const;
  ExitCode dispatch() const;

  CLI::App app_{description, "ccr"};
  std::vector<std::pair<CLI::App*, std::function<ExitCode()>>> actions_;
  CommonOptions common_;
  bool version_ = false;
  StatusOptions status_;
  CheckOptions check_;
  WaitOptions wait_;
  SeedOptions seed_;
  SuspendOptions suspend_;
  ResumeOptions resume_;
  LoadOptions load_;
  BenchOptions bench_;
  EventsOptions events_;
  CertOptions cert_;
  TuneOptions tune_;
  ReportOptions report_;
  DrillOptions drill_;
  std::vector<std::string> cert_files_;
  VerifyOptions verify_;
  ScrubOptions scrub_;
  BackupOptions backup_;
  MoveOptions move_;
  ActivateOptions activate_;
  AddOptions add_database_;
  ForgetOptions forget_;
  std::string log_file_, log_database_, log_generation_, log_directory_;
};

CLI::App* CommandLine::add(CLI::App& parent, const std::string& name, const std::string& about, std::function<ExitCode()> action) {
  CLI::App* command = parent.add_subcommand(name, about);
  command->fallthrough();   // so that --json may stand behind the command
  command->allow_extras();  // so that we say what was meant, not CLI11
  actions_.emplace_back(command, std::move(action));
  return command;
}

CLI::App* CommandLine::group(const std::string& name, const std::string& about) {
  CLI::App* noun = app_.add_subcommand(name, about);
  noun->fallthrough();
  noun->allow_extras();
  noun->require_subcommand(0, 1);
  return noun;
}

void CommandLine::add_common() {
  app_.allow_extras();
  app_.require_subcommand(0, 1);
  common_.config_file = config_file_default;
  app_.add_option("--config", common_.config_file, "configuration file [CCR_CONFIG, /etc/ccr/ccr.toml]")->envname("CCR_CONFIG");
  app_.add_option("--node", common_.node, "this node's name [CCR_NODE, the host's name]")->envname("CCR_NODE");
  app_.add_flag("--json", common_.json, "machine-readable result: raw numbers, UTC");
  const std::map<std::string, ColorChoice> choices{
      {"auto", ColorChoice::automatic}, {"always", ColorChoice::always}, {"never", ColorChoice::never}};
  app_.add_option_function<std::string>(
      "--color",
      [this, choices](const std::string& word) {
        const auto choice = choices.find(word);
        if (choice == choices.end()) throw CLI::ValidationError("--color", "expected auto, always or never, found '" + word + "'");
        common_.color = choice->second;
      },
      "auto, always or never; NO_COLOR is honoured");
  app_.add_flag("--version", version_, "the same as the command version");
}

void CommandLine::add_node_commands() {
  add(app_, "serve", "run a node in the foreground", [this] { return run_serve(common_); });
  CLI::App* config = group("config", "check or show the configuration");
  add(*config, "check", "check the file; 10 when something in it is not in force", [this] { return run_config_check(common_); });
  add(*config, "show", "print what is in force, defaults included", [this] { return run_config_show(common_); });
  add(app_, "version", "version, formats, compiled-in parts", [this] { return run_version(common_); });
}

void CommandLine::add_membership() {
  CLI::App* add_it = add(app_, "add", "a database, or a copy of one, into the configuration and the running daemon of this node", [this] { return run_add(common_, add_database_); });
  add_it->add_option("target", add_database_.target, "a new database, or a copy of one that is there")->type_name("DB[@NODE]")->required();
  add_it->add_option("--kind", add_database_.kind, "sqlite or pages [sqlite]")->type_name("KIND");
  add_it->add_option("--path", add_database_.path, "the database file; {node} in it is the node's name")->type_name("FILE");
  add_it->add_option("--logs", add_database_.logs, "a directory for its log alone")->type_name("DIR");
  add_it->add_option("--copies", add_database_.copies, "nodes; the first is the active one")->type_name("NODE,…")->delimiter(',');
  add_it->add_flag("--dry-run", add_database_.dry_run, "what would change, and whether it may");
  CLI::App* forget = add(app_, "forget", "a database, or a copy of one, out of the configuration and the running daemon; its files stay",
                         [this] { return run_forget(common_, forget_); });
  forget->add_option("target", forget_.target, "the database, or a copy of it")->type_name("DB[@NODE]")->required();
  forget->add_flag("--yes", forget_.yes, "without asking");
  forget->add_flag("--dry-run", forget_.dry_run, "what would change, and whether it may");
}

void CommandLine::add_status_commands() {
  CLI::App* status = add(app_, "status", "every copy: role, state, queues, rate, lag, last proof",
                         [this] { return run_status(common_, status_); });
  status->add_option("target", status_.target, "DB or DB@NODE; all without it")->type_name("[DB[@NODE]]");
  status->add_flag("--watch", status_.watch, "again each second");
  status->add_flag("--verbose,-v", status_.verbose, "each connection too: window, scale, round trip, congestion control");
  CLI::App* check = add(app_, "check", "what is not well: 10 for warnings, 11 for failed checks", [this] { return run_check(common_, check_); });
  check->add_flag("--all,--verbose,-v", check_.all, "also what is well");
  CLI::App* wait = add(app_, "wait", "return when a copy is in a state", [this] { return run_wait(common_, wait_); });
  wait->add_option("copy", wait_.target, "the copy")->type_name("DB@NODE")->required();
  wait->add_option("--for", wait_.state, "state [healthy: with empty queues]")->type_name("STATE");
  wait->add_option("--timeout", wait_.timeout, "how long at most [30s]; then 6")->type_name("DURATION");
  CLI::App* events = add(app_, "events", "state changes as JSON lines", [this] { return run_events(common_, events_); });
  events->add_option("target", events_.target, "only of this database or copy")->type_name("[DB[@NODE]]");
  events->add_flag("--follow,-f", events_.follow, "go on until interrupted");
}

void CommandLine::add_copy_commands() {
  CLI::App* seed = add(app_, "seed", "make a copy equal to its source, by difference", [this] { return run_seed(common_, seed_); });
  seed->add_option("copy", seed_.target, "the copy")->type_name("DB@NODE");
  seed->add_option("--all", seed_.all_of, "all passive copies of that node at once: --all@NODE")->type_name("NODE");
  seed->add_flag("--full", seed_.full, "fetch everything instead of what differs");
  seed->add_option("--from", seed_.from, "the source [the active node]; several share the work")->type_name("NODE[,NODE]");
  seed->add_option("--streams", seed_.streams, "connections [auto]")->type_name("N");
  seed->add_option("--rate", seed_.rate, "at most, such as 80MB/s [transport.seed_rate]")->type_name("RATE");
  seed->add_flag("--reread", seed_.reread, "read this copy's disk first: somebody may have touched its file");
  seed->add_flag("--manual-resume", seed_.manual_resume, "leave the copy suspended when its pages are equal");
  seed->add_flag("--detach", seed_.detach, "start it and return");
  seed->add_flag("--yes", seed_.yes, "also over a file that ccr did not make, and where the copy, active before, may have commits alone");
  seed->add_flag("--dry-run", seed_.dry_run, "print checks and plan, change nothing");
  CLI::App* suspend = add(app_, "suspend", "stop copying and replay of a copy", [this] { return run_suspend(common_, suspend_); });
  suspend->add_option("copy", suspend_.target, "the copy")->type_name("DB@NODE")->required();
  suspend->add_option("--comment", suspend_.comment, "why; shown in status")->type_name("TEXT");
  suspend->add_flag("--dry-run", suspend_.dry_run, "print checks and plan, change nothing");
  CLI::App* resume = add(app_, "resume", "start a suspended or failed copy again", [this] { return run_resume(common_, resume_); });
  resume->add_option("copy", resume_.target, "the copy")->type_name("DB@NODE")->required();
  resume->add_flag("--dry-run", resume_.dry_run, "print checks and plan, change nothing");
  CLI::App* verify = add(app_, "verify", "read the pages of both sides and compare; 5 on a difference",
                         [this] { return run_verify(common_, verify_); });
  verify->add_option("copy", verify_.target, "the copy")->type_name("DB@NODE")->required();
  verify->add_option("--rate", verify_.rate, "read at most, on each side, such as 80MB/s, or unlimited [verify.rate]")->type_name("RATE");
  verify->add_flag("--cancel", verify_.cancel, "end the one that runs");
  CLI::App* scrub = add(app_, "scrub", "read a copy's pages now, and repair those that rotted; 5 when one is lost",
                        [this] { return run_scrub(common_, scrub_); });
  scrub->add_option("copy", scrub_.target, "the copy, active or passive")->type_name("DB@NODE")->required();
  scrub->add_option("--rate", scrub_.rate, "read at most, such as 80MB/s, or unlimited [scrub.rate]")->type_name("RATE");
  scrub->add_flag("--cancel", scrub_.cancel, "let the one that was asked for go on at its own pace");
}

void CommandLine::add_handovers() {
  CLI::App* backup = add(app_, "backup", "a copy's pages in a file of their own, as of one commit, read back", [this] { return run_backup(common_, backup_); });
  backup->add_option("copy", backup_.target, "this node's copy; of a passive one programs feel nothing")->type_name("DB[@NODE]")->required();
  backup->add_option("--to", backup_.directory, "a directory without such a file; made where it is not there")->type_name("DIR")->required();
  backup->add_option("--rate", backup_.rate, "read and write at most, such as 80MB/s, or unlimited [verify.rate]")->type_name("RATE");
  backup->add_flag("--copy-only", backup_.copy_only, "no log goes because of it: retention = \"until-backup\" waits for another");
  backup->add_flag("--cancel", backup_.cancel, "end the one that runs");
  CLI::App* move = add(app_, "move", "make another node's copy the active one; nothing is lost", [this] { return run_move(common_, move_); });
  move->add_option("database", move_.database, "the database")->type_name("DB")->required();
  move->add_option("--to", move_.to, "the node that serves it from then on")->type_name("NODE")->required();
  move->add_flag("--dry-run", move_.dry_run, "print checks and plan, change nothing");
  CLI::App* activate = add(app_, "activate", "make a copy the active one when its active node cannot hand it over; 4 when too much is missing",
                           [this] { return run_activate(common_, activate_); });
  activate->add_option("database", activate_.database, "the database")->type_name("DB")->required();
  activate->add_option("--on", activate_.on, "the node whose copy it is")->type_name("NODE")->required();
  activate->add_option("--dial", activate_.dial, "generations that may be missing: lossless (0), good (6), best (12), or force, which asks nobody [good]")->type_name("DIAL");
  activate->add_option("--until", activate_.until, "as of this time: 14:04 or 14:04:30 today, '2026-01-02 14:04' (local time), 2026-01-02T14:04:00Z. The log ends before the first commit, in its order, that is later; clocks that were put back count as they stood. What came later goes to quarantine/")->type_name("TIME");
  activate->add_flag("--yes", activate_.yes, "do not ask where it may lose something");
  activate->add_flag("--dry-run", activate_.dry_run, "print checks and plan, change nothing");
}

void CommandLine::add_load() {
  CLI::App* load = add(app_, "load", "write transactions whose content can be checked, on the active node",
                       [this] { return run_load(common_, load_); });
  load->add_option("database", load_.database, "the database")->type_name("DB")->required();
  load->add_option("--rate", load_.rate, "such as 20MB/s, or unlimited")->type_name("RATE")->required();
  load->add_option("--seconds", load_.seconds, "how long, such as 30 or 5m [10]")->type_name("N");
  load->add_option("--pattern", load_.pattern, "seq, random or oltp [oltp]")->type_name("PATTERN");
  load->add_flag("--dry-run", load_.dry_run, "print checks and plan, change nothing");
  load->add_option("--transaction-pages", load_.transaction_pages, "pages of a transaction [the pattern's]")->type_name("N");
}

void CommandLine::add_bench() {
  CLI::App* bench = group("bench", "measure with a peer, as a share of the limits found in the same run");
  CLI::App* link = add(*bench, "link", "round trips, and what one and several streams carry in each direction",
                       [this] { return run_bench(common_, "link", bench_); });
  link->add_option("--peer", bench_.peer, "the node at the other end")->type_name("NODE")->required();
  link->add_option("--seconds", bench_.seconds, "of the whole measurement, 1 to 60 [10]")->type_name("N");
  link->add_option("--bytes", bench_.bytes, "of each stream at most")->type_name("SIZE");
  link->add_option("--streams", bench_.streams, "one stream and N of them, up to 8 [1, 2 and 4]")->type_name("N");
  link->add_option("--window", bench_.window, "what may be in flight on each connection [transport.window]")->type_name("SIZE");
  link->add_option("--congestion", bench_.congestion, "cubic, bbr or reno, on both sides [transport.congestion]")->type_name("NAME");
  CLI::App* log = add(*bench, "log", "the disk of the log: blocks of several sizes, each written and synced",
                      [this] { return run_bench(common_, "log", bench_); });
  log->add_option("database", bench_.database, "whose log's disk [the only one]")->type_name("[DB]");
  log->add_option("--peer", bench_.peer, "a node whose disk is measured too")->type_name("NODE");
  log->add_option("--seconds", bench_.seconds, "of the whole measurement, 1 to 60 [8]")->type_name("N");
  CLI::App* ship = add(*bench, "ship", "the whole pipe: append, sync, ship, sync there, acknowledge; on the active node",
                       [this] { return run_bench(common_, "ship", bench_); });
  ship->add_option("database", bench_.database, "a page store; it is written into as by ccr load [the only one]")->type_name("[DB]");
  ship->add_option("--peer", bench_.peer, "the node of the copy")->type_name("NODE")->required();
  ship->add_option("--seconds", bench_.seconds, "of the whole measurement, 5 to 60 [20]")->type_name("N");
  ship->add_option("--rate", bench_.rate, "of the load, such as 20MB/s [unlimited]")->type_name("RATE");
  ship->add_option("--clients", bench_.clients, "commits at a time, up to 256 [64]")->type_name("N");
  ship->add_option("--transaction-pages", bench_.transaction_pages, "pages of a transaction [16]")->type_name("N");
  add_bench_seed(*bench);
}

void CommandLine::add_bench_seed(CLI::App& bench) {
  CLI::App* seed = add(bench, "seed", "what a seed carries, of databases that are made for it and gone behind it",
                       [this] { return run_bench(common_, "seed", bench_); });
  seed->add_option("database", bench_.database, "whose log's disk is used on both nodes [the state directories']")->type_name("[DB]");
  seed->add_option("--peer", bench_.peer, "the node that is seeded from this one")->type_name("NODE")->required();
  seed->add_option("--seconds", bench_.seconds, "of the whole measurement, but for making pages, 1 to 60 [20]")->type_name("N");
  seed->add_option("--bytes", bench_.bytes, "of each database [what the limits carry in the time]")->type_name("SIZE");
  seed->add_option("--databases", bench_.databases, "side by side, up to 8 [1]")->type_name("N");
}

void CommandLine::add_tune() {
  CLI::App* tune = add(app_, "tune", "what must be in flight to fill a link, and what this host allows; measured with --peer, or reckoned", [this] { return run_tune(common_, tune_); });
  tune->add_option("--peer", tune_.peer, "measure with this node: before, congestion controls, streams, after")->type_name("NODE");
  tune->add_option("--seconds", tune_.seconds, "of the whole measurement, 5 to 60 [20]")->type_name("N");
  tune->add_option("--rate", tune_.rate, "of the link, such as 1Gbit")->type_name("RATE");
  tune->add_option("--rtt", tune_.round_trip, "round trip, such as 40ms")->type_name("DURATION");
  tune->add_option("--log-rate", tune_.log_rate, "of the log at its busiest, such as 5MB/s: its share of the link")->type_name("RATE");
  tune->add_option("--mtu", tune_.mtu, "of the link [1500]")->type_name("BYTES");
  tune->add_option("--head-room", tune_.head_room, "the window as a multiple of bandwidth x round trip [2]")->type_name("N");
  tune->add_flag("--sysctl", tune_.sysctl, "print a file for /etc/sysctl.d; nothing is applied");
}

void CommandLine::add_report() {
  CLI::App* report = add(app_, "report", "one page with charts, from what bench or tune --peer printed with --json", [this] { return run_report(report_); });
  report->add_option("run", report_.run, "the measurement")->type_name("RUN.json")->required();
  report->add_option("old", report_.old, "an older one of the same kind, to compare with")->type_name("[OLD.json]");
  report->add_option("--html", report_.html, "the page to write; it needs no network")->type_name("FILE")->required();
}

void CommandLine::add_drill() {
  CLI::App* drill = add(app_, "drill", "rehearse a fault on a copy: reseed, reseed-under-load, interrupted-reseed, rot, restored-backup, outage, frozen-node, disk-full, failover or fork, with a verdict table",
                        [this] { return run_drill(common_, drill_); });
  drill->add_option("name", drill_.name, "which drill")->type_name("NAME")->required();
  drill->add_option("copy", drill_.target, "the passive copy; until the drill is over it is no standby")->type_name("DB@NODE")->required();
  drill->add_option("--report", drill_.report, "write a page with charts, as ccr report does")->type_name("FILE.html");
  drill->add_option("--rate", drill_.seed_rate, "of the seed at most, such as 80MB/s [transport.seed_rate]")->type_name("RATE");
  drill->add_option("--load-rate", drill_.load_rate, "of ccr load in reseed-under-load, restored-backup and fork, and with --load [2MB/s]")->type_name("RATE");
  drill->add_option("--cuts", drill_.cuts, "of interrupted-reseed, 1 to 100 [3]")->type_name("N");
  drill->add_option("--link-seconds", drill_.link_seconds, "of measuring the link before a reseed; 0 leaves it out [4]")->type_name("N");
  drill->add_option("--timeout", drill_.timeout, "how long the seed, or a wait of another drill, may take [1h]; then 6, and it goes on")->type_name("DURATION");
  drill->add_option("--seconds", drill_.seconds, "that outage, frozen-node and disk-full last, the load of fork, and what is written behind the backup of restored-backup [10]")->type_name("N");
  drill->add_flag("--load", drill_.load, "write with ccr load in outage, frozen-node, disk-full and failover; what it overwrites is lost");
  drill->add_option("--full", drill_.full, "what has no room in disk-full: log or pages [log]")->type_name("PLACE");
  drill->add_flag("--on-active", drill_.on_active, "disk-full on the active node, whose commits fail or wait meanwhile");
  drill->add_option("--peer-socket", drill_.peer_socket, "control socket of the active node's daemon, where that is not on this host: ssh -L brings it here")->type_name("FILE");
  drill->add_flag("--yes", drill_.yes, "do not ask for the database's name");
  drill->add_flag("--dry-run", drill_.dry_run, "print checks and plan, change nothing");
}

void CommandLine::add_log_commands() {
  CLI::App* log = group("log", "look into log generations");
  CLI::App* show = add(*log, "show", "print a generation", [this] { return run_log_show(common_, log_file_); });
  show->add_option("file", log_file_, "a generation's file")->type_name("FILE")->required();
  CLI::App* why = add(*log, "why", "who holds a generation of this node's log", [this] { return run_log_why(common_, log_database_, log_generation_); });
  why->add_option("database", log_database_, "the database")->type_name("DB")->required();
  why->add_option("generation", log_generation_, "as status and file names show it, such as 1a3f2")->type_name("GENERATION")->required();
  CLI::App* verify =
      add(*log, "verify", "check a directory's chain; 5 on damage", [this] { return run_log_verify(common_, log_directory_); });
  verify->add_option("directory", log_directory_, "a log directory")->type_name("DIR")->required();
}

void CommandLine::add_cert_commands() {
  CLI::App* cert = group("cert", "certificates for mutual TLS");
  CLI::App* ca = add(*cert, "ca", "make the cluster's own authority: ca.pem and ca.key", [this] { return run_cert_ca(common_, cert_); });
  CLI::App* issue = add(*cert, "issue", "make key and certificate of a node", [this] { return run_cert_issue(common_, cert_); });
  CLI::App* request = add(*cert, "request", "make a node's key where it stays, and a request for its certificate", [this] { return run_cert_request(common_, cert_); });
  CLI::App* renew = add(*cert, "renew", "give a node's certificate new dates; its key stays", [this] { return run_cert_renew(common_, cert_); });
  for (CLI::App* command : {issue, request, renew}) command->add_option("node", cert_.node, "the node")->type_name("NODE")->required();
  for (CLI::App* command : {ca, issue, renew}) {
    command->add_option("--out", cert_.directory, "directory with ca.pem and ca.key")->type_name("DIR")->required();
    command->add_option("--cluster", cert_.cluster, "its name [the configuration's, or the authority's]")->type_name("NAME");
    command->add_option("--days", cert_.days, "how long it is valid [a node 365, an authority 3650]")->type_name("N");
    command->add_option("--passphrase-file", cert_.passphrase_file, "of ca.key, which is encrypted with it; - is the terminal's next line")->type_name("FILE");
  }
  request->add_option("--out", cert_.directory, "directory for NODE.key and NODE.csr")->type_name("DIR")->required();
  issue->add_option("--request", cert_.request, "sign this request, made on the node; its key is not here")->type_name("FILE");
  for (CLI::App* command : {ca, issue, request, renew}) command->add_flag("--dry-run", cert_.dry_run, "print checks and plan, write nothing");
  CLI::App* show = add(*cert, "show", "print what is in certificates", [this] { return run_cert_show(common_, cert_files_); });
  show->add_option("files", cert_files_, "files in PEM form")->type_name("FILE")->required();
}

CommandLine::CommandLine() {
  add_common();
  add_node_commands();
  add_status_commands();
  add_copy_commands();
  add_handovers();
  add_membership();
  add_load();
  add_bench();
  add_tune();
  add_report();
  add_drill();
  add_log_commands();
  add_cert_commands();
}

const CLI::App& CommandLine::deepest() const {
  const CLI::App* at = &app_;
  for (;;) {
    const std::vector<CLI::App*> chosen = at->get_subcommands();
    if (chosen.empty()) return *at;
    at = chosen.front();
  }
}

// "ccr config" for the noun, "ccr" at the top.
std::string words_of(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : words_of(*parent) + " " + command.get_name();
}

ExitCode CommandLine::misused(const std::string& message) const {
  return report({ErrorKind::usage, message, words_of(deepest()) + " --help"});
}

ExitCode CommandLine::unknown_word(const std::string& word) const {
  const CLI::App& command = deepest();
  const bool option = word.starts_with("-");
  const std::string name = option ? word.substr(0, word.find('=')) : word;
  std::vector<std::string> known;
  if (option) {
    for (const CLI::App* app = &command; app != nullptr; app = app->get_parent()) {
      for (const CLI::Option* each : app->get_options()) {
        for (const std::string& long_name : each->get_lnames()) known.push_back("--" + long_name);
      }
    }
  } else {
    for (const CLI::App* each : command.get_subcommands([](const CLI::App*) { return true; })) known.push_back(each->get_name());
  }
  const std::optional<std::string> near = engine::did_you_mean(name, known);
  const std::string what = option ? "unknown option '" : known.empty() ? "unexpected argument '" : "unknown command '";
  const std::string place = &command == &app_ ? "" : " for " + words_of(command);
  const std::string hint = near ? "did you mean '" + *near + "'?" : words_of(command) + " --help";
  return report({ErrorKind::usage, what + name + "'" + place, hint});
}

ExitCode CommandLine::dispatch() const {
  const CLI::App& chosen = deepest();
  for (const auto& [command, action] : actions_) {
    if (command == &chosen) return action();
  }
  if (version_) return run_version(common_);
  return misused(&chosen == &app_ ? "which command?" : "which command of '" + words_of(chosen) + "'?");
}

// --all@NODE is --all NODE, written as the copies are.
std::vector<std::string> split_all(int count, const char* const* arguments) {
  constexpr std::string_view all = "--all@";
  std::vector<std::string> words;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = arguments[i];
    if (!word.starts_with(all)) {
      words.emplace_back(word);
      continue;
    }
    words.emplace_back("--all");
    words.emplace_back(word.substr(all.size()));
  }
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  return words;
}

ExitCode CommandLine::run(int count, const char* const* arguments) {
  try {
    app_.parse(split_all(count, arguments));
  } catch (const CLI::Success& help) {
    app_.exit(help);
    return ExitCode::done;
  } catch (const CLI::ParseError& error) {
    const std::vector<std::string> unknown = app_.remaining(true);
    return unknown.empty() ? misused(error.what()) : unknown_word(unknown.front());
  }
  const std::vector<std::string> unknown = app_.remaining(true);
  return unknown.empty() ? dispatch() : unknown_word(unknown.front());
}

}  // namespace

ExitCode run_command_line(int count, const char* const* arguments) {
  CommandLine line;
  return line.run(count, arguments);
}

}  // namespace ccr::tools
