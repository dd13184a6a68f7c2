// The verdict of a handshake: pure. The active side compares what the copy says it has with its own chain.
//
// First the rules that refuse; the first that applies is the answer, with both values in its text.
//
//   hello                                          | refuse
//   -----------------------------------------------+-----------
//   version range without one of ours              | version
//   from_node is not the name the connection proved | node
//   another cluster                                | cluster
//   to_node is not this node                       | node
//   from_node is this node, or may have no copy    | node
//   another database than the one looked up        | database
//   our copy of it is not the active one           | not_active, unless pages are asked for, or one to repair, or log to fetch
//   another kind                                   | kind
//   our log is not open, or our copy not healthy   | not_ready; to fetch log also where our copy is the active one
//   epoch above ours                               | epoch
//
// Pages any healthy copy may give, single ones to repair any proven one, and log to fetch any passive one whose log is open: the facts are then those of
// the copy that is here.
// A Hello to measure, or for the heartbeats of a path, names no database: only the rules down to from_node are asked, `copies` are then all nodes that this one knows, and
// the Welcome carries version, node and session alone.
//
// Then the verdict. A point compares when own_digests has a digest for it; `newest` is the first point given, P the newest point
// that is equal.
//
//   points                                         | wanted            | verdict
//   -----------------------------------------------+-------------------+----------------------------------------------
//   (the copy has no signature)                    |                   | unseeded
//   (its signature is another)                     |                   | other_history
//   (any)                                          | none, or < first  | unknown: what it needs was truncated
//   P is newest                                    | == durable        | same
//   P is newest                                    | < durable         | behind
//   P is newest                                    | > durable         | ahead
//   P is older, a newer one differs                |                   | forked
//   P is older, the newer ones do not compare      | > durable         | ahead: they are beyond our end
//   P is older, the newer ones do not compare      | <= durable        | forked: our log goes on without them
//   none equal, a differing one in generation 1    |                   | forked at 1
//   none equal, a differing one above              |                   | unknown: where they part is not among the points
//   none compares                                  | > durable         | ahead
//   none compares, or no points                    | (g, 0) <= durable | behind: the header that comes next proves the chain
//   none compares                                  | (g, n) <= durable | unknown
//
// With forked, and with ahead where there is a P, `fork` is the first generation that is not proven equal: the one after a sealed P, or
// the open one itself. A digest may be missing only because the active's log has no such bytes; whoever cannot tell must look again.
// `durable` is canonical (base/position.h), `wanted` is a raw offset: behind a seal a copy that lacks only the next header is
// behind. A wanted generation that is ours alone to begin, (g, 0) beyond durable, is ahead.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "transport/messages.h"

namespace ccr::transport {

struct ActiveFacts {
  std::string cluster, node, database, kind;
  std::string proven_peer;          // what the connection's certificate names; empty: TLS is off
  bool active = false;              // this node's copy of the database is the active one
  std::string active_node;          // as this node knows it
  bool ready = false;               // its log is open; of a passive copy: it is healthy; to repair: it has proven pages; to fetch: it is passive and its log is open
  std::vector<std::string> copies;  // nodes that may have a copy; for no database, all nodes
  Signature signature;
  Epoch epoch = 0;
  bool forced = false;  // that epoch began without asking the active node before
  Generation first;  // lowest generation held
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

// What who said hello holds the answer to it against, before a word of it is believed. protocol: it is the answer to another hello, comes
// from another node than the one looked for, or speaks of a version that was not offered or of an epoch below the copy's own.
Result<void> check_welcome(const Hello& hello, const Welcome& welcome);

}  // namespace ccr::transport
