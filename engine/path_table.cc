#include "engine/path_table.h"

#include <algorithm>
#include <utility>

namespace ccr::engine {

const char* name_of(PathState state) noexcept {
  switch (state) {
    case PathState::unknown: return "unknown";
    case PathState::up: return "up";
    case PathState::down: return "down";
  }
  return "unknown";
}

PathTable::PathTable(const Executor& executor, Clock& clock, Trace& trace, std::string node)
    : clock_(clock), trace_(trace), node_(std::move(node)), changed_(executor) {}

void PathTable::add(const std::string& peer, const std::vector<transport::Endpoint>& addresses) {
  std::vector<Path>& paths = peers_[peer];
  for (const transport::Endpoint& address : addresses) {
    Path path;
    path.address = address;
    path.since = clock_.wall_now();
    path.beats_wanted = beats_up;
    paths.push_back(std::move(path));
  }
}

const std::vector<Path>& PathTable::watch(const std::string& peer) {
  watched_.insert(peer);
  return peers_.at(peer);
}

std::vector<transport::Endpoint> PathTable::order(const std::string& peer) const {
  std::vector<transport::Endpoint> addresses;
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return addresses;
  for (const PathState state : {PathState::up, PathState::unknown, PathState::down}) {
    for (const Path& path : found->second)
      if (path.state == state) addresses.push_back(path.address);
  }
  return addresses;
}

bool PathTable::has_better(const std::string& peer, const transport::Endpoint& used) const {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return false;
  for (const Path& path : found->second) {
    if (path.address == used) return false;
    if (path.state == PathState::up) return true;
  }
  return false;
}

bool PathTable::is_down(const std::string& peer, const transport::Endpoint& address) const {
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(),
                     [&](const Path& path) { return path.address == address && path.state == PathState::down; });
}

void PathTable::beat(const std::string& peer, const transport::Endpoint& address, Duration round_trip) {
  Path* const path = find_judged(peer, address);
  if (path == nullptr) return;
  path->round_trip = round_trip;
  if (++path->beats < path->beats_wanted) return;
  if (turn(*path, PathState::up)) tell("path_up", peer, *path);
}

void PathTable::lost(const std::string& peer, const transport::Endpoint& address, const std::string& cause) {
  Path* const path = find_judged(peer, address);
  if (path == nullptr) return;
  path->beats_wanted = beats_up;
  put_down(peer, *path, cause);
}

void PathTable::suspect(const std::string& peer, const transport::Endpoint& address, const std::string& cause) {
  Path* const path = find_judged(peer, address);
  if (path == nullptr) return;
  if (path->state == PathState::up) path->beats_wanted = std::min(path->beats_wanted * 2, beats_up_max);
  put_down(peer, *path, cause);
}

void PathTable::put_down(const std::string& peer, Path& path, const std::string& cause) {
  path.beats = 0;
  path.cause = cause;
  if (turn(path, PathState::down)) tell("path_down", peer, path);
}

Path* PathTable::find_judged(const std::string& peer, const transport::Endpoint& address) {
  if (!judged(peer)) return nullptr;
  std::vector<Path>& paths = peers_.at(peer);
  const auto path = std::find_if(paths.begin(), paths.end(), [&](const Path& p) { return p.address == address; });
  return path == paths.end() ? nullptr : &*path;
}

bool PathTable::turn(Path& path, PathState state) {
  if (path.state == state) return false;
  path.state = state;
  path.since = clock_.wall_now();
  if (state == PathState::up) path.cause.clear();
  changed_.notify();
  return true;
}

void PathTable::tell(const char* event, const std::string& peer, const Path& path) {
  Event told{event, node_, {{"peer", peer}, {"path", path.address.text()}}};
  if (!path.cause.empty()) told.fields.push_back({"cause", path.cause});
  trace_.record(told);
}

}  // namespace ccr::engine
