// Disks that come from elsewhere: an older one of the same node, as a person puts it back, and that of another node, until the mistake is seen.
#include <map>
#include <utility>

#include "tests/sim/swarm.h"

namespace ccr::sim {

using namespace std::chrono_literals;

namespace {

using Files = std::map<std::string, Bytes>;

void add_files(const DiskState& disk, const std::string& directory, Files& files) {
  const auto entries = disk.list(directory);
  if (!entries.ok()) return;
  for (const storage::DirectoryEntry& entry : *entries) {
    const std::string path = directory + "/" + entry.name;
    if (entry.directory) add_files(disk, path, files);
    else files[path] = disk.cached(*disk.find(path)).all();
  }
}

// What belongs to a copy. The node's own list of events is another thing: a node that does not know its own disk says so there.
Files files_of_copy(const DiskState& disk) {
  Files files;
  for (const char* directory : {"/data", "/log", "/state/orders"}) add_files(disk, directory, files);
  return files;
}

std::string changed_file(const Files& before, const Files& after) {
  for (const auto& [path, content] : before) {
    const auto found = after.find(path);
    if (found == after.end() || found->second != content) return path;
  }
  for (const auto& [path, content] : after)
    if (!before.contains(path)) return path;
  return "";
}

}  // namespace

// A passive copy's disk as it was is kept, and later put back.
void Swarm::go_back(const std::string& name) {
  NodeHost& host = cluster_.host(name);
  if (swapped_ || !host.alive() || cluster_.active() == nullptr || name == cluster_.active_node()) return;
  host.kill({Damage::process_only, Ordering::ordered});
  const auto older = older_.find(name);
  cluster_.remark("the disk of " + name + (older == older_.end() ? " is kept" : " is put back"));
  if (older == older_.end()) {
    older_.emplace(name, host.disk().state());
  } else {
    host.disk().restore(older->second);
    older_.erase(older);
    seen_[name] = {};
    happened("disks put back");
  }
  start_later(name);
}

// Two nodes get each other's disk. Each finds the other's directories there, and leaves them as they are.
void Swarm::swap_disks(const std::string& one, const std::string& other) {
  if (swapped_ || one == other || !cluster_.host(one).alive() || !cluster_.host(other).alive()) return;
  cluster_.remark("the disks of " + one + " and " + other + " are swapped");
  for (const std::string& name : {one, other}) cluster_.host(name).kill(draw_power_cut(random_));  // what is not on them is gone
  exchange_disks(one, other);
  swapped_ = std::pair(one, other);
  happened("disks swapped");
  for (const std::string& name : {one, other}) {
    swapped_files_[name] = files_of_copy(cluster_.host(name).disk().state());
    cluster_.host(name).start();
  }
  world_.after(up_to(swapped_max), "swarm.swap_back", [this] { swap_back(); });
}

void Swarm::swap_back() {
  const auto swapped = std::exchange(swapped_, std::nullopt);
  if (!swapped) return;  // healing came first
  const auto& [one, other] = *swapped;
  cluster_.remark("the disks of " + one + " and " + other + " are swapped back");
  for (const std::string& name : {one, other}) {
    NodeHost& host = cluster_.host(name);
    host.kill({Damage::process_only, Ordering::ordered});  // also of one that has just ended, whose disk is not taken out yet
    const std::string changed = changed_file(swapped_files_[name], files_of_copy(host.disk().state()));
    if (!changed.empty()) fail(name + " changed " + changed + " of another node");
  }
  exchange_disks(one, other);
  for (const std::string& name : {one, other}) start_later(name);
}

void Swarm::exchange_disks(const std::string& one, const std::string& other) {
  SimDisk &first = cluster_.host(one).disk(), &second = cluster_.host(other).disk();
  DiskState kept = first.state();
  first.restore(second.state());
  second.restore(std::move(kept));
  seen_[one] = seen_[other] = {};
}

}  // namespace ccr::sim
