#include "tests/sim/swarm_audit.h"

#include <algorithm>
#include <set>

#include "storage/generation_file.h"
#include "storage/identity_file.h"
#include "storage/reserve_files.h"
#include "storage/spare_files.h"

namespace ccr::sim {
namespace {

bool generation_name(const std::string& name) { return storage::generation_of_name(name).has_value(); }

// A generation's name with a number behind it, as the quarantine keeps them.
bool quarantined_name(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  return dot != std::string::npos && (generation_name(name) || generation_name(name.substr(0, dot)));
}

Task<Result<void>> check_names(storage::Disk& disk, std::string directory, std::function<bool(const storage::DirectoryEntry&)> expected) {
  const Result<std::vector<storage::DirectoryEntry>> entries = co_await disk.list(directory);
  if (!entries.ok() && entries.error().kind == ErrorKind::not_found) co_return Result<void>();
  if (!entries.ok()) co_return entries.error();
  for (const storage::DirectoryEntry& entry : *entries) {
    if (!expected(entry)) co_return Error{ErrorKind::exists, "litter: " + directory + "/" + entry.name, ""};
  }
  co_return Result<void>();
}

Task<Result<void>> check_directories(storage::Disk& disk, bool active) {
  // A copy that was a passive one before keeps the folders.
  std::set<std::string> log_names = {storage::identity_name, storage::incoming_folder, storage::quarantine_folder};
  if (active) log_names.insert({storage::current_name, storage::prepared_name});
  // A stop may cut a replacement short; the next one of that file removes what it left.
  const std::set<std::string> state_names = {storage::identity_name, "state.0", "state.1", "state.0.new", "state.1.new", "digests", "digests.new",
                                             "seed.map", "seed.map.new"};
  const std::function<bool(const storage::DirectoryEntry&)> in_log = [&](const storage::DirectoryEntry& entry) {
    return generation_name(entry.name) || storage::is_spare_name(entry.name) || storage::is_reserve_name(entry.name) || log_names.count(entry.name) > 0;
  };
  const std::function<bool(const storage::DirectoryEntry&)> in_state = [&](const storage::DirectoryEntry& entry) {
    return state_names.count(entry.name) > 0;
  };
  const std::function<bool(const storage::DirectoryEntry&)> in_data = [](const storage::DirectoryEntry& entry) { return entry.name == "orders.pages"; };
  int incoming = 0;
  const std::function<bool(const storage::DirectoryEntry&)> in_incoming = [&](const storage::DirectoryEntry& entry) {
    return !active && generation_name(entry.name) && ++incoming == 1;
  };
  const std::function<bool(const storage::DirectoryEntry&)> in_quarantine = [](const storage::DirectoryEntry& entry) {
    return quarantined_name(entry.name);
  };
  CCR_CO_TRY(co_await check_names(disk, "/log", in_log));
  CCR_CO_TRY(co_await check_names(disk, "/state/orders", in_state));
  CCR_CO_TRY(co_await check_names(disk, "/data", in_data));
  CCR_CO_TRY(co_await check_names(disk, "/log/incoming", in_incoming));
  co_return co_await check_names(disk, "/log/quarantine", in_quarantine);
}

Task<Result<void>> check_disk(storage::Disk& disk, bool active) {
  const Result<std::vector<storage::ChainLink>> chain = co_await storage::verify_chain(disk, "/log");
  if (!chain.ok()) co_return chain.error();
  co_return co_await check_directories(disk, active);
}

Result<void> compare(const Bytes& active, const Bytes& passive, std::uint32_t page_size, const std::string& name) {
  if (active.size() != passive.size()) {
    return Error{ErrorKind::diverged, name + " has " + std::to_string(passive.size()) + " bytes of pages, the active one " + std::to_string(active.size()), ""};
  }
  const auto differs = std::mismatch(active.begin(), active.end(), passive.begin()).first;
  if (differs == active.end()) return Result<void>();
  return Error{ErrorKind::diverged, name + ": page " + std::to_string((differs - active.begin()) / page_size + 1) + " is not the active one's", ""};
}

}  // namespace

Result<void> audit(World& world, Cluster& cluster, const std::string& active) {
  const Result<Bytes> pages = cluster.page_file_of(active);
  if (!pages.ok()) return pages.error().within(active);
  CCR_TRY(cluster.check_content(*pages, active));
  for (const std::string& name : cluster.names()) {
    const std::unique_ptr<storage::Disk> disk = cluster.host(name).disk().mount();
    const Result<void> checked = complete(world, check_disk(*disk, name == active));
    if (!checked.ok()) return checked.error().within(name);
  }
  for (const std::string& name : cluster.names()) {
    if (name == active) continue;
    const Result<Bytes> copy = cluster.page_file_of(name);
    if (!copy.ok()) return copy.error().within(name);
    CCR_TRY(compare(*pages, *copy, cluster.page_size(), name));
  }
  return Result<void>();
}

}  // namespace ccr::sim
