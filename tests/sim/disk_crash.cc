// What a power cut leaves of a DiskState.
#include <algorithm>

#include "tests/sim/disk_state.h"

namespace ccr::sim {

struct DiskState::CrashRule {
  enum class Fate { lost, whole, torn, length_only };  // of one change of a file

  CrashStyle style;
  Mark cut;               // ordered: names and lengths below are kept, the others lost
  std::uint64_t of_four;  // a free change is kept with this chance

  bool ordered() const noexcept { return style.ordering == Ordering::ordered; }

  bool keeps_free(Random& random) const {
    switch (style.damage) {
      case Damage::lose_unsynced:
        return false;
      case Damage::keep_all:
        return true;
      default:
        return random.chance(of_four, 4);
    }
  }

  bool keeps_name(const NameChange& change, Random& random) const {
    if (ordered()) return change.sequence < cut;
    return style.damage == Damage::metadata_only || keeps_free(random);
  }

  Fate data_fate(Random& random) const {
    if (style.damage == Damage::metadata_only) return Fate::lost;
    if (!keeps_free(random)) return Fate::lost;
    return style.damage == Damage::torn && random.chance(1, 2) ? Fate::torn : Fate::whole;
  }

  Fate fate(const Change& change, Random& random) const {
    const bool metadata_only = style.damage == Damage::metadata_only;
    if (ordered()) {
      if (!change.extends) return data_fate(random);
      if (change.sequence >= cut) return Fate::lost;
      return metadata_only ? Fate::length_only : Fate::whole;
    }
    if (change.resizes) return metadata_only || keeps_free(random) ? Fate::whole : Fate::lost;
    const Fate data = data_fate(random);
    const bool length = metadata_only || (style.damage != Damage::lose_unsynced && random.chance(1, 2));
    return data == Fate::lost && change.extends && length ? Fate::length_only : data;
  }
};

CrashStyle draw_power_cut(Random& random) {
  constexpr Damage damages[] = {Damage::lose_unsynced, Damage::keep_all,      Damage::random_subset,
                                Damage::torn,          Damage::random_subset, Damage::metadata_only};
  const Damage damage = damages[random.below(std::size(damages))];
  return {damage, random.chance(1, 3) ? Ordering::ordered : Ordering::adversarial};
}

// Keeps a beginning, an end, or any of the sectors that the write touches; the length as if all were there, or only as far as it
// got.
void DiskState::apply_torn(Content& content, const Change& change, Random& random) const {
  if (change.resizes) return apply(content, change);
  const std::uint64_t first = change.offset / sector_bytes;
  const std::uint64_t count = (std::max(change.end(), change.offset + 1) - 1) / sector_bytes - first + 1;
  const std::uint64_t shape = random.below(3);
  const std::uint64_t split = random.below(count + 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    const bool keep = shape == 0 ? i < split : shape == 1 ? i >= split : random.chance(1, 2);
    if (!keep) continue;
    const std::uint64_t from = std::max(change.offset, (first + i) * sector_bytes);
    const std::uint64_t to = std::min(change.end(), (first + i + 1) * sector_bytes);
    content.write(from, ByteView(change.bytes).subspan(from - change.offset, to - from));
  }
  if (change.end() > content.size() && random.chance(1, 2)) content.resize(change.end());
}

void DiskState::crash_file(FileState& file, const CrashRule& rule, Random& random) const {
  for (const Change& change : file.unsynced) {
    switch (rule.fate(change, random)) {
      case CrashRule::Fate::lost:
        break;
      case CrashRule::Fate::whole:
        apply(file.durable, change);
        break;
      case CrashRule::Fate::torn:
        apply_torn(file.durable, change, random);
        break;
      case CrashRule::Fate::length_only:
        file.durable.resize(std::max(file.durable.size(), change.end()));
        break;
    }
  }
  file.cached = file.durable;
  file.unsynced.clear();
  file.stale_cache = false;
}

void DiskState::crash_directories(const CrashRule& rule, Random& random) {
  std::set<std::pair<NodeId, Mark>> lost;
  for (const auto& [node, directory] : directories_) {
    for (const NameChange& change : directory.unsynced)
      if (!rule.keeps_name(change, random)) lost.emplace(node, change.sequence);
  }
  for (auto& [node, directory] : directories_) {
    for (const NameChange& change : directory.unsynced) {
      const bool new_name_lost = change.moved_to != 0 && lost.contains({change.moved_to, change.sequence});
      if (!new_name_lost && !lost.contains({node, change.sequence})) apply(directory.durable, change);
    }
  }
  for (auto& [node, directory] : directories_) {
    directory.cached = directory.durable;
    directory.unsynced.clear();
  }
}

void DiskState::crash(CrashStyle style, Random& random) {
  for (auto& [node, file] : files_) file.holders = 0;
  if (style.damage == Damage::process_only) return collect();
  Mark cut = random.between(journaled_, sequence_);
  if (style.damage == Damage::lose_unsynced) cut = journaled_;
  if (style.damage == Damage::keep_all) cut = sequence_;
  const CrashRule rule{style, cut, random.between(1, 3)};
  for (auto& [node, file] : files_) crash_file(file, rule, random);
  crash_directories(rule, random);
  journaled_ = sequence_;
  collect();
}

}  // namespace ccr::sim
