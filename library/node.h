// Node runs a whole node of ccr inside a program: its databases are seeded, shipped and replayed as by `ccr serve`, and page stores whose active copy is
// here take the program's commits. `ccr status` and every other command work on it. This header needs the standard library only.
//
// start() completes when the node listens; it has a thread of its own then, and touches no signal and no stream of the program.
// commit() completes when the pages are as safe as `commit` of the database in the configuration says; many at once share one sync. A commit that ends with
// an error is not acknowledged; what was given to the log before may be kept all the same, and read() shows it when the store serves again.
// read() gives a state at or after every commit that was answered before the call.
// stop(), and the destructor, end the node as SIGTERM ends `ccr serve`; a call that was not answered gets Reason::closed.
// Threads: any may call, but one at a time start(), stop() and the destructor; a callback runs on the node's thread (or in stop()), must not throw, and may call nothing of this class but commit() with a callback.
// Bounds: 256 calls, and 32 MiB of images for the log, at once; calls beyond them wait in their order, with their images; a read is at most 16 MiB.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ccr::library {

enum class Reason {
  none,        // it was done
  usage,       // a wrong page number, an image of another size, a page given twice
  config,      // the configuration, or what it names, is wrong
  not_found,   // this node has no such database
  not_active,  // the active copy is on another node, or moved there meanwhile; message names it
  no_space,    // log or pages found no room; it serves again by itself when there is some
  refused,     // a person has to decide, or the database is an SQLite one
  busy,        // it is starting, or somebody else has the directories
  timeout,
  closed,      // the node or the copy ended before it answered
  failed,      // what a disk or the system says
};

const char* name_of(Reason reason) noexcept;

struct [[nodiscard]] Outcome {
  Reason reason = Reason::none;
  std::string message;  // what failed, on what, expected and found
  std::string hint;     // the command or step that helps; may be empty
  explicit operator bool() const noexcept { return reason == Reason::none; }
};

// An event of the node, as `ccr events` shows it.
struct Event {
  std::string name, subject;
  std::vector<std::pair<std::string, std::string>> fields;
};

struct Options {
  std::string config_file = "/etc/ccr/ccr.toml";
  std::string node;                             // empty: the host's name
  std::function<void(const Event&)> on_event;  // on the node's thread
};

struct Page {
  std::uint32_t number = 0;  // from 1; above the end the store grows, pages in between are zeros
  std::vector<std::byte> image;
};

struct Pages {
  std::uint32_t page_size = 0;
  std::uint32_t page_count = 0;    // of the whole store
  std::vector<std::byte> images;  // from the first page asked for on, as many as there are
};

class Node {
 public:
  Node();
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  Outcome start(Options options);  // once
  Outcome stop();                  // how it ended, also where it did so by itself; any number of times
  bool running() const;

  // Until this node serves `database`: a start takes a moment, a move as long as it takes.
  Outcome wait_active(const std::string& database, std::chrono::milliseconds limit);
  Outcome commit(const std::string& database, std::vector<Page> pages);
  void commit(const std::string& database, std::vector<Page> pages, std::function<void(Outcome)> done);
  Outcome read(const std::string& database, std::uint32_t first, std::uint32_t count, Pages& pages);
  void read_configuration();  // as SIGHUP lets `ccr serve` do

 private:
  class Life;
  std::unique_ptr<Life> life_;
};

}  // namespace ccr::library
