// The repair of one page that rotted on this node's disk: its bytes come from another node's copy, and are believed by the own table alone.
//
// set_aside_rotten() keeps what was found, for a person, and tells of it. repair_page() asks the other copies in turn, and writes an image whose
// digest is what the own table says of the page at that moment, while replay is held; then it syncs and reads the page back from the disk. So
// the page is exact at whatever position either side is, and nothing was pinned. Completion: ok with what became of the page. Failure: a write
// or a sync of the page file failed, and the file must be opened again (FAULTS row 11): in `fault`. Bounds: one ask of each other copy a call.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/page_exchange.h"

namespace ccr::engine {

// What a copy elsewhere said of a page that it did not give.
enum class PeerWord {
  silent,   // nobody answers
  later,    // it cannot tell now
  ahead,    // its table stands elsewhere, and has another page there: replay of one of the two will bring the page anew, or make them the same
  apart,    // its table stands where the own one does, and says something else: they are no copies of each other
  damaged,  // its disk holds that page no better
};

enum class Repair {
  repaired,
  healed,   // replay wrote the page anew meanwhile, or dropped it
  waits,    // a later try may help
  damaged,  // none will
};

// No copy gave the page: pure.
Repair without_page(const std::vector<PeerWord>& words) noexcept;

struct RepairOutcome {
  Repair what = Repair::waits;
  std::string from;   // the node that gave it
  std::uint64_t wire_bytes = 0;
  std::string cause;  // of waits and damaged
  std::optional<Error> fault;
};

// What a repair knows beside the pages themselves.
struct RepairPlace {
  NodeContext& context;
  const DatabaseConfig& database;
  Signature signature;
  std::string log_directory;  // whose quarantine/pages takes the bad bytes
};

// False: the page is what it should be by now.
Task<Result<bool>> set_aside_rotten(RepairPlace place, OwnPages& pages, PageNumber page);
Task<Result<RepairOutcome>> repair_page(RepairPlace place, OwnPages& pages, PageNumber page);

}  // namespace ccr::engine
