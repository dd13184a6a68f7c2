// quarantine/ is where generations go that are not proven to be anybody else's too, and the bytes of pages that rotted: never read again by
// itself, never deleted by us.
//
// Bounds: files_max and bytes_max. What would go beyond them is refused as ErrorKind::full before anything is moved, and a person has to look;
// but into an empty quarantine one log always goes, however long it is: else nobody could get out of that state. Pages have a folder and a bound
// of their own, so that rot keeps no log out.
#pragma once

#include <string>

#include "base/digest.h"
#include "storage/generation_file.h"

namespace ccr::storage {

struct Quarantine {
  static constexpr std::uint64_t files_max = 256;
  static constexpr std::uint64_t bytes_max = 1 * GiB;

  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  bool has_room(std::uint64_t more_files, std::uint64_t more_bytes) const noexcept {
    return files == 0 || more_files == 0 || (files + more_files <= files_max && bytes + more_bytes <= bytes_max);
  }
  bool operator==(const Quarantine&) const = default;
};

// Of a log directory; zeros where it has none.
Task<Result<Quarantine>> measure_quarantine(Disk& disk, std::string directory);

// Whether the generations from `from` on may be set aside; changes nothing.
Task<Result<void>> check_quarantine(Disk& disk, std::string directory, Generation from);

// Moves every generation of a directory from `from` on into quarantine/, as <16 hex>.log.<n> with the first n that is free, the highest
// generation first, each durably, so that a crash in between leaves a chain without a hole. Nothing may have the directory open. For a log
// that cannot be opened any more, too.
Task<Result<void>> set_aside_generations(Disk& disk, std::string directory, Generation from);

// The same, where the room was looked for before: what was agreed to then goes on after a crash, whatever lies there by now.
Task<Result<void>> move_generations_aside(Disk& disk, std::string directory, Generation from);

inline constexpr std::size_t pages_set_aside_max = 256;

// The bytes that were found where a page should be, as quarantine/pages/<8 hex: page>-<16 hex: digest of them>.page, durable at completion.
// False where pages_set_aside_max are there already: they are not kept, since a page that can be repaired must not wait for a person.
Task<Result<bool>> set_aside_page(Disk& disk, std::string directory, PageNumber page, ByteView found);

}  // namespace ccr::storage
