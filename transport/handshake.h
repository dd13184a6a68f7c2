// The verdict of a handshake: pure. The active side compares what the copy says it has with its own chain.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "transport/messages.h"

namespace ccr::transport {

struct ActiveFacts {
  std::string cluster, node, database, kind;
  bool active = false;       // this node's copy of the database is the active one
  bool ready = false;        // its log is open
  std::vector<std::string> copies;  // nodes that may have a copy
  Signature signature;
  Epoch epoch = 0;
  Generation first;          // lowest generation held
  Position durable;
  CommitNumber durable_commit = 0;
  std::uint32_t page_size = 0;
  std::uint64_t generation_bytes = 0;
  // Own digests for the points the copy named; nullopt where the active cannot know (truncated, or beyond its end).
  std::vector<std::optional<Digest128>> own_digests;  // same order as hello.chain
};

struct HandshakeAnswer {
  std::optional<Refuse> refuse;
  Welcome welcome;  // when refuse is empty
};

HandshakeAnswer decide_handshake(const Hello& hello, const ActiveFacts& active);

}  // namespace ccr::transport
