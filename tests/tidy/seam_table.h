// The seam files: the only ones that may reach past Clock, Disk, Network and Random, each with what it reaches and why.
#pragma once

#include <string_view>

namespace ccr::tidy {

enum class Reach {
  time,         // the machine's clocks
  chance,       // entropy
  threads,      // threads of its own
  environment,  // variables of the process
  files,        // file streams of the standard library
  system,       // calls of the operating system, which the house writes with a leading ::
};

struct Seam {
  std::string_view path;
  Reach reach;
  std::string_view reason;
};

inline constexpr Seam seams[] = {
    {"base/aligned_buffer.cc", Reach::system, "memory of large buffers, which goes back to the kernel while nothing uses it"},
    {"base/aligned_buffer.cc", Reach::threads, "spare buffers are everybody's"},
    {"base/random.cc", Reach::chance, "the one seed that the machine gives a production node"},
    {"base/system_clock.cc", Reach::time, "the Clock seam of production"},
    {"engine/control_server.cc", Reach::system, "asks whether a socket file is served, and sets its mode"},
    {"library/node.cc", Reach::threads, "a program's node has a thread of its own, on which other threads wait"},
    {"storage/cpu_threads.cc", Reach::threads, "the CPU pool of production: how many processors there are"},
    {"storage/directory_lock.cc", Reach::system, "locks a directory against a second process before any Disk exists"},
    {"storage/file_access.cc", Reach::system, "the Disk seam of production"},
    {"storage/posix_directory_calls.cc", Reach::system, "the Disk seam of production"},
    {"storage/posix_file_calls.cc", Reach::system, "the Disk seam of production"},
    {"storage/cache_footprint.cc", Reach::system, "the page cache under the Disk seam of production, and under SQLite's own file"},
    {"storage/submission_ring.cc", Reach::system, "the Disk seam of production, its io_uring"},
    {"storage/sqlite/file_programs.cc", Reach::system, "asks who else has a database open"},
    {"storage/sqlite/file_state.cc", Reach::system, "looks at a file that belongs to SQLite"},
    {"storage/sqlite/source_channel.h", Reach::threads, "whole commits cross from SQLite's worker to the node's executor"},
    {"storage/sqlite/sqlite_source.cc", Reach::threads, "sqlite3 calls block, and one thread keeps its POSIX locks together"},
    {"storage/sqlite/wal_watch.cc", Reach::system, "waits for a WAL to change, on SQLite's worker"},
    {"storage/sqlite/wal_watch.cc", Reach::time, "measures that wait, on SQLite's worker"},
    {"tests/lying_disk/lying_disk.cc", Reach::system, "a program of its own: it kills a process at an operation of that process"},
    {"tests/lying_disk/mount.cc", Reach::system, "a program of its own, a disk for real processes"},
    {"tests/sqlite_app.cc", Reach::chance, "an application of its own, not a test"},
    {"tests/sqlite_app.cc", Reach::time, "an application of its own, not a test"},
    {"tests/sqlite_source_test.cc", Reach::time, "looks at the gauges of a live worker, and plays a slow consumer"},
    {"tests/sweep.h", Reach::environment, "how much of a sweep, and how many seeds, are played"},
    {"tests/swarm_test.cc", Reach::system, "steps back behind the daemons that are tested beside it"},
    {"tests/tools_time_test.cc", Reach::environment, "plays a host of a time zone with summer time"},
    {"tools/certificate_directory.cc", Reach::system, "a command writes keys and certificates"},
    {"tools/space_look.cc", Reach::files, "asks how much room the disks of a node have"},
    {"tools/commands_copy.cc", Reach::environment, "who suspends, for the comment"},
    {"tools/commands_copy.cc", Reach::system, "who suspends, for the comment"},
    {"tools/commands_copy.cc", Reach::files, "a backup's directory, as the daemon sees it"},
    {"tools/commands_membership.cc", Reach::files, "which files of a forgotten copy are left"},
    {"tools/file_beside.cc", Reach::system, "a command writes a file as a whole"},
    {"tools/commands_log.cc", Reach::files, "a command may ask for a directory"},
    {"tools/drill_restored.cc", Reach::files, "a drill leaves no directory behind"},
    {"tools/commands_report.cc", Reach::files, "reads measurements and writes a page"},
    {"tools/config_file.cc", Reach::files, "reads the configuration before a node is there"},
    {"tools/config_file.cc", Reach::system, "the host's name is a node's default name; a command replaces the configuration"},
    {"tools/control_client.cc", Reach::system, "a command's end of the control socket"},
    {"tools/space_look.cc", Reach::system, "ccr check asks disks that may hang, each in a process of its own"},
    {"tools/host_programs.cc", Reach::system, "the Programs seam of production"},
    {"tools/host_link.cc", Reach::system, "asks the kernel which interface leads to a peer, for advice"},
    {"tools/host_network.cc", Reach::files, "reads what the kernel allows a connection, for advice"},
    {"tools/interrupts.cc", Reach::system, "a command waits for Ctrl-C"},
    {"tools/link/emulator.cc", Reach::system, "a program of its own, which no node knows: waits, signals, priority"},
    {"tools/link/emulator.cc", Reach::time, "a program of its own: its packets are due to the microsecond"},
    {"tools/link/tun_device.cc", Reach::system, "packets of an emulated link, in a program of its own"},
    {"tools/service_notify.cc", Reach::environment, "systemd names the socket it listens on"},
    {"tools/service_notify.cc", Reach::system, "tells systemd that a node is ready"},
    {"tools/event_history.cc", Reach::files, "events without a daemon are read from its files"},
    {"tools/state_status.cc", Reach::files, "status without a daemon reads the state files"},
    {"tools/terminal.cc", Reach::environment, "NO_COLOR and TERM"},
    {"tools/terminal.cc", Reach::system, "asks whether a stream is a terminal, and how wide"},
    {"tests/tools_pair_test.cc", Reach::system, "a process for a guard to stop, and a drill to kill"},
    {"tools/drill_guard.cc", Reach::system, "a process of its own undoes a drill that was killed, and stops and continues a daemon"},
    {"tools/tls_setup.cc", Reach::system, "asks whether a node has its certificate yet"},
    {"transport/tcp_settings.cc", Reach::system, "asks the kernel what windows and congestion control a connection may have, and sets them"},
    {"transport/tls_files.cc", Reach::system, "reads keys and certificates, and who else may"},
};

}  // namespace ccr::tidy
