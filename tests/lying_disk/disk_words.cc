#include "tests/lying_disk/disk_words.h"

#include <cerrno>
#include <sstream>
#include <string_view>
#include <utility>

namespace ccr::lying {
namespace {

using sim::Damage;
using sim::Ordering;

constexpr std::string_view ordered = "+ordered";

bool read_damage(const std::string& word, Damage& damage) {
  const std::pair<std::string_view, Damage> names[] = {{"process", Damage::process_only}, {"lose", Damage::lose_unsynced}, {"keep", Damage::keep_all},
                                                       {"subset", Damage::random_subset}, {"torn", Damage::torn},          {"metadata", Damage::metadata_only}};
  for (const auto& [name, meant] : names) {
    if (name != word) continue;
    damage = meant;
    return true;
  }
  return false;
}

// STYLE SEED
bool read_style(std::istringstream& words, CrashStyle& style, std::uint64_t& seed) {
  std::string word;
  if (!(words >> word >> seed)) return false;
  if (word == "any") {
    Random random(seed);
    style = sim::draw_power_cut(random);
    return true;
  }
  style.ordering = word.ends_with(ordered) ? Ordering::ordered : Ordering::adversarial;
  if (style.ordering == Ordering::ordered) word.resize(word.size() - ordered.size());
  return read_damage(word, style.damage);
}

bool read_action(std::istringstream& words, DiskAction& action) {
  std::string word;
  words >> word;
  for (int i = 0; i <= static_cast<int>(DiskAction::any); ++i) {
    action = static_cast<DiskAction>(i);
    if (sim::name_of(action) == "disk." + word) return true;
  }
  return false;
}

bool cut(LyingDisk& disk, std::istringstream& words, bool later) {
  Cut cut;
  if (later && !(read_action(words, cut.action) && words >> cut.after_operations >> cut.process && cut.after_operations > 0)) return false;
  if (!read_style(words, cut.style, cut.seed)) return false;
  disk.cut(cut);
  return true;
}

bool fail(LyingDisk& disk, std::istringstream& words) {
  Failing failing;
  if (!read_action(words, failing.action) || !(words >> failing.number >> failing.skip >> failing.times)) return false;
  disk.fail(failing);
  return true;
}

bool note(LyingDisk& disk, std::istringstream& words) {
  std::uint64_t number = 0;
  if (!(words >> number)) return false;
  disk.note(number);
  return true;
}

bool open(LyingDisk& disk, std::istringstream& words) {
  std::uint64_t moment = 0, seed = 0;
  CrashStyle style;
  return words >> moment && read_style(words, style, seed) && disk.open_recorded(moment, style, seed);
}

bool understood(LyingDisk& disk, std::istringstream& words) {
  std::string verb;
  words >> verb;
  if (verb == "cut" || verb == "cut_at") return cut(disk, words, verb == "cut_at");
  if (verb == "fail") return fail(disk, words);
  if (verb == "note") return note(disk, words);
  if (verb == "open") return open(disk, words);
  if (verb == "calm") return disk.calm(), true;
  if (verb == "mount") return disk.remount(), true;
  if (verb == "erase") return disk.erase(), true;
  if (verb == "record") return disk.record(), true;
  return false;
}

}  // namespace

int obey(LyingDisk& disk, const std::string& words) {
  std::istringstream stream(words);
  return understood(disk, stream) ? 0 : -EINVAL;
}

}  // namespace ccr::lying
