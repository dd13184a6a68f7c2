// PathTable is what this node knows of the ways to each other node: a path for each of its addresses, in the user's order.
//
// A path is up once beats_up heartbeats in a row came back over its own connection (engine/path_watch.h), down when they stop, and unknown
// before: one that comes and goes is not gone back to at each of its moments. The only path to a node is not judged: there is no choice.
// Pure but for the events `path_up` and `path_down`. Threads: the executor's.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/signal.h"
#include "base/trace.h"
#include "transport/network.h"

namespace ccr::engine {

enum class PathState { unknown, up, down };
const char* name_of(PathState state) noexcept;

struct Path {
  transport::Endpoint address;
  PathState state = PathState::unknown;
  WallTime since;           // of `state`
  Duration round_trip{0};   // of the last heartbeat
  std::string cause;        // why it is down
  int beats = 0;            // in a row
  int beats_wanted = 0;     // before it is up
};

class PathTable {
 public:
  static constexpr int beats_up = 4;
  static constexpr int beats_up_max = 256;  // of a path whose heartbeats come back while connections over it die: twice as many each time

  PathTable(const Executor& executor, Clock& clock, Trace& trace, std::string node);

  void add(const std::string& peer, const std::vector<transport::Endpoint>& addresses);
  const std::map<std::string, std::vector<Path>>& peers() const noexcept { return peers_; }
  // Of a peer that this node dials: from now on what its heartbeats say counts, where there is a choice. Its paths, for each of which the caller
  // begins to send them; a peer is watched once.
  const std::vector<Path>& watch(const std::string& peer);
  bool watched(const std::string& peer) const { return watched_.contains(peer); }
  bool judged(const std::string& peer) const { return watched(peer) && peers_.at(peer).size() > 1; }  // there is a choice
  // To try one after another: those that are up, then the unknown, then those that are down; each in the user's order.
  std::vector<transport::Endpoint> order(const std::string& peer) const;
  // One that the user prefers to `used` is up.
  bool has_better(const std::string& peer, const transport::Endpoint& used) const;

  bool is_down(const std::string& peer, const transport::Endpoint& address) const;

  void beat(const std::string& peer, const transport::Endpoint& address, Duration round_trip);
  void lost(const std::string& peer, const transport::Endpoint& address, const std::string& cause);
  // A connection over it was not made, or fell silent: until its heartbeats say more it is the last to be tried.
  void suspect(const std::string& peer, const transport::Endpoint& address, const std::string& cause);
  Signal& changed() noexcept { return changed_; }

 private:
  Path* find_judged(const std::string& peer, const transport::Endpoint& address);  // nullptr: there is none, or no choice
  void put_down(const std::string& peer, Path& path, const std::string& cause);
  bool turn(Path& path, PathState state);
  void tell(const char* event, const std::string& peer, const Path& path);

  Clock& clock_;
  Trace& trace_;
  std::string node_;
  std::map<std::string, std::vector<Path>> peers_;
  std::set<std::string> watched_;
  Signal changed_;
};

}  // namespace ccr::engine
