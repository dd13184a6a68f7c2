// How one page goes from a node whose disk holds it to one whose disk does not any more: a connection of purpose repair for each ask.
//
// ask_for_page() completes with what the other node says; the caller holds an image against its own table before it believes a byte of it.
// Failure: as connect_to_active(); refused too where the other copy is of another history. serve_repair() answers until the other end is gone, or is
// silent for repair_silence_max; its failure ends that connection only. Bounds: one page in memory at either end.
#pragma once

#include <string>

#include "engine/own_pages.h"
#include "engine/peer_client.h"

namespace ccr::engine {

inline constexpr Duration repair_silence_max = std::chrono::seconds(30);

// Of a copy that may be asked for pages.
class PageGiver {
 public:
  virtual ~PageGiver() = default;
  virtual Task<Result<PageGiven>> give(transport::PageAsk ask) = 0;
};

struct PageTaken {
  transport::PageAnswer::Standing standing = transport::PageAnswer::Standing::later;
  Position as_of;
  Bytes image;  // of `same`
  std::uint64_t wire_bytes = 0;  // that its connection took, both ways; below TLS
};

Task<Result<PageTaken>> ask_for_page(NodeContext& context, const DatabaseConfig& database, Signature signature, std::string node,
                                     transport::PageAsk ask);
Task<Result<void>> serve_repair(Clock& clock, transport::FramedConnection& connection, PageGiver& giver);

}  // namespace ccr::engine
