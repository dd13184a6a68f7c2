// EmbeddedStore is how a program in this process commits to, and reads, a page store that its node hosts.
//
// commit() completes when its pages are as safe as the database's `commit` says. Each call finds the active copy anew, and its work ends with that life of
// the copy: then it says why. What was given to the store before may be kept all the same; a read shows it once the store serves again.
// read() gives a state at or after every commit that was answered before the call.
// Errors: not_found (no such database), usage, unreachable (the active copy is on another node, or went there), no_space (log or pages found no room,
// until there is some), refused (a person has to decide, or an SQLite database), busy (it is starting), timeout, and what a disk says.
// Lifetime: the node outlives it; calls end with the node's run(). Threads: the node's executor. Bounds: the page store's; read_bytes_max at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/node.h"

namespace ccr::engine {

class EmbeddedStore {
 public:
  static constexpr std::uint64_t read_bytes_max = 16 * MiB;

  struct Pages {
    std::uint32_t page_size = 0;
    PageNumber page_count = 0;  // of the whole store
    Bytes images;               // of the pages from the first one asked for on, as many of them as there are
  };

  EmbeddedStore(Node& node, Clock& clock, std::string database) : node_(node), clock_(clock), database_(std::move(database)) {}

  Task<Result<void>> commit(std::vector<PageWrite> pages);
  Task<Result<Pages>> read(PageNumber first, std::uint32_t count);
  Task<Result<void>> wait_until_served(Duration limit);  // timeout, with what it waited for; what never passes comes at once

 private:
  Result<ActiveCopy*> serving() const;
  static constexpr Duration end_limit = std::chrono::seconds(2);
  Task<Error> end_of_life() const;  // why a call got no answer: known when the copy's life is over, which takes at most end_limit

  Node& node_;
  Clock& clock_;
  std::string database_;
};

}  // namespace ccr::engine
