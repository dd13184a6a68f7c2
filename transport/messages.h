// What nodes say to each other, format version 1. transport/README.md is the page of this format; encoding lives here only.
//
// Passive nodes connect to the active one. A connection has one purpose: `log` (watermarks, heartbeats and log of one copy), `seed`, `pages`
// (one more stream of a seed, to any healthy copy), `repair` (of a page, to any other copy), `path`, `measure`, or `roles`, of no database and to any node.
// First Hello (passive) and Welcome or Refuse (active), then the messages of the purpose. Pure: bytes in, message or Error out; a
// length is checked before anything is allocated.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "base/position.h"
#include "base/result.h"
#include "transport/measure_messages.h"
#include "transport/packed_messages.h"
#include "transport/repair_messages.h"
#include "transport/role_messages.h"

namespace ccr::transport {

inline constexpr std::uint16_t protocol_version_min = 1;
inline constexpr std::uint16_t protocol_version_max = 1;
inline constexpr std::size_t name_bytes_max = 128;
inline constexpr std::size_t text_bytes_max = 1024;
inline constexpr std::size_t chain_links_max = 64;
inline constexpr std::size_t log_block_bytes = 4096;              // LogData is whole blocks of it
inline constexpr std::size_t tail_bytes_max = 1 * MiB;            // of LogData and ExtentPages, and of what their packed forms hold
inline constexpr std::uint64_t generation_bytes_limit = 64 * MiB;
inline constexpr std::uint32_t page_bytes_min = 512, page_bytes_max = 65536;
inline constexpr std::uint32_t extent_pages_max = 2048;           // an extent of 1 MiB in pages of 512 bytes
inline constexpr std::size_t page_mask_bytes_max = extent_pages_max / 8;
inline constexpr std::uint32_t extent_digests_max = 65'536;       // of one message

enum class Purpose : std::uint8_t { log = 1, seed = 2, measure = 3, path = 4, pages = 5, repair = 6, roles = 7, fetch = 8 };
// Whether a connection of that purpose is about a database.
constexpr bool of_database(Purpose purpose) noexcept { return purpose != Purpose::measure && purpose != Purpose::path && purpose != Purpose::roles; }

// (generation, digest): of a whole sealed generation, or of the first `bytes` bytes of an open one.
struct ChainPoint {
  Generation generation;
  std::uint64_t bytes = 0;  // 0: the generation is sealed and whole
  Digest128 digest;
  bool operator==(const ChainPoint&) const = default;
};

struct Hello {
  std::uint16_t version_min = protocol_version_min, version_max = protocol_version_max;
  Purpose purpose = Purpose::log;
  std::string cluster, from_node, to_node, database, kind;
  std::string address;         // that was dialled: connections of one path have the same
  std::uint64_t session = 0;   // random; a newer session of the same node, database and purpose replaces the older
  Signature signature;         // zeros: the copy has no history yet
  Epoch epoch = 0;
  std::vector<ChainPoint> chain;  // newest first: the open prefix, then the last sealed generations
  Position wanted;             // next byte of log needed; generation 0: none (a copy that must be seeded)
};

enum class Verdict : std::uint8_t {
  same = 1,        // nothing to ship right now
  behind = 2,      // ship from `wanted`
  ahead = 3,       // the copy has log that the active does not
  forked = 4,      // histories differ from generation `fork` on
  other_history = 5,  // another signature
  unknown = 6,     // no common generation is left to compare, or the log it needs was truncated
  unseeded = 7,    // the copy has no history; it must be seeded
};
const char* name_of(Verdict verdict) noexcept;

struct Welcome {
  std::uint16_t version = 0;
  std::string node;
  std::uint64_t session = 0;
  Signature signature;
  Epoch epoch = 0;
  std::uint32_t page_size = 0;
  std::uint64_t generation_bytes = 0;
  Verdict verdict = Verdict::unknown;
  Generation fork;      // of `forked`, and of `ahead` where it is known: the first generation that is not proven equal
  Generation first;     // lowest generation the active still has
  Position durable;     // its tip
  CommitNumber durable_commit = 0;
  bool forced = false;  // it became the active one without asking the one before
};

enum class RefuseReason : std::uint8_t {
  version = 1, cluster, node, database, not_active, kind, epoch, not_ready, busy, protocol, suspended, damaged,
};
const char* name_of(RefuseReason reason) noexcept;

struct Refuse {
  RefuseReason reason = RefuseReason::protocol;
  std::string text, hint;
};

// --- log ---------------------------------------------------------------------------------------------------------------------

struct LogData {  // active -> passive; whole verified blocks
  Generation generation;
  std::uint64_t offset = 0;
  ByteView bytes;  // views the frame
};

struct Tip {  // active -> passive: heartbeat, and after each group while nothing else flows
  Position durable;
  CommitNumber commit = 0;
  PageNumber page_count = 0;
  Digest64 root = 0;       // as of `commit`; valid when root_known
  bool root_known = false;
  Epoch epoch = 0;
  WallTime wall;
  std::uint64_t sent_at = 0;  // the active's clock, opaque to the passive, which returns it
  bool at_rest = false;       // until something changes the heartbeats of the path stand for this connection's; its next comes late
  bool operator==(const Tip&) const = default;
};

struct Watermarks {  // passive -> active: heartbeat, and after each sync
  Position received, durable, inspected, replayed;
  CommitNumber replayed_commit = 0;
  std::string state, cause;     // as status shows them
  std::string comment;          // of a suspension
  std::string hint;             // the command that helps, as its own node shows it
  Position root_equal_at;
  Digest64 root_equal = 0;
  WallTime disk_verified_at;
  std::uint64_t echo = 0;       // sent_at of the last Tip received
  std::uint64_t echo_of_data = 0;  // sent_at of the last Tip whose durable position is durable here: what lag is measured with
  std::uint64_t replay_queue_ns = 0;
  std::uint64_t seed_sent = 0, seed_equal = 0, seed_wire_bytes = 0, seed_done_bytes = 0, seed_total_bytes = 0, seed_rate = 0;
  std::uint64_t seed_image_bytes = 0;  // of seed_wire_bytes, before they were packed
  bool seed_running = false;
  std::uint32_t history_stream = 0;  // the ask that is answered; 0: none yet
  std::uint8_t history_log = 0;      // what is granted; 0: nothing
  bool at_rest = false;              // as Tip's
  bool operator==(const Watermarks&) const = default;
};

// --- seed --------------------------------------------------------------------------------------------------------------------

struct SeedOpen { Position resume_from; };  // passive -> active; names the pass's P, which the active holds if it still can; generation 0: a new pass
struct SeedOffer {    // active -> passive
  Position from;         // P
  CommitNumber from_commit = 0;
  PageNumber page_count = 0;
  std::uint32_t page_size = 0;
  bool resumed = false;  // P is the one asked for
};
struct ExtentDigestsAsk { std::uint32_t first = 0, count = 0; };     // at most 65,536 a message
struct ExtentDigests { std::uint32_t first = 0; std::vector<Digest64> digests; };
struct PageDigestsAsk { std::uint32_t extent = 0; };
struct PageDigestList { std::uint32_t extent = 0; std::vector<Digest64> digests; };
struct ExtentAsk {    // the pages wanted of one extent: bit i of byte i/8 is page i of the extent; empty: all of them
  std::uint32_t extent = 0;
  Bytes pages;
};
struct ExtentPages {  // one or more messages per ask, the last says so
  std::uint32_t extent = 0;
  Position as_of;          // the content is that of as_of or later; never before P
  PageNumber page_count = 0;
  PageNumber first = 0;    // pages in this message: a run from `first` on
  ByteView images;         // whole pages, views the frame
  bool last = false;
};
struct SeedFinish {};                                                    // passive -> active: all extents are durable here
struct SeedEnd { Position until; CommitNumber commit = 0; };             // active -> passive: Q
struct SeedRelease {};                                                   // passive -> active: the pass ended (done or given up): drop its pin

// verify: page digests as of one position, read from the source's disk
struct VerifyAsk { std::uint32_t extent = 0; };
struct VerifyAnswer { std::uint32_t extent = 0; Position as_of; CommitNumber commit = 0; PageNumber page_count = 0; std::vector<Digest64> disk; std::vector<Digest64> table; };
// path: P sends one after another, A answers each with the same
struct PathBeat {
  std::uint64_t number = 0;
  std::uint32_t connections = 0;  // the sender's log connections over this path
  std::uint32_t awake = 0;        // those of them that are not at rest
};

using Message = std::variant<Hello, Welcome, Refuse, LogData, Tip, Watermarks, SeedOpen, SeedOffer, ExtentDigestsAsk, ExtentDigests,
                             PageDigestsAsk, PageDigestList, ExtentAsk, ExtentPages, SeedFinish, SeedEnd, SeedRelease, VerifyAsk, VerifyAnswer,
                             MeasureAsk, MeasureData, MeasureEnd, LogPacked, ExtentPacked, PathBeat, PageAsk, PageAnswer,
                             RolesTold, HandoverAsk, HandoverAnswer>;

// The number of a type on the wire is its place in Message, from 1.
std::uint8_t type_of(const Message& message) noexcept;
const char* type_name(std::uint8_t type) noexcept;  // "Hello"; "unknown" for a number that no message has
Error unexpected(const Message& message, const std::string& where);  // protocol; `where`: "a log connection"
// Encodes the message body. LogData, ExtentPages, their packed forms, MeasureData and PageAnswer put their bytes last, so a sender may pass them as a
// second piece: encode gives everything before them when `without_tail`. Names, lists and tails over their limits are broken invariants of the sender; a text is cut
// to text_bytes_max, and what is not UTF-8 on one line becomes spaces.
Bytes encode(const Message& message, bool without_tail = false);
ByteView tail_of(const Message& message) noexcept;
std::size_t tail_offset(std::uint8_t type) noexcept;       // where the tail begins in the body; 0 for a type that has none
// ErrorKind::protocol with the message's name and what is wrong. The result views `body`. A Hello of versions that this build does not
// speak is read up to its version range only: the rest of its layout is not known here, and the handshake refuses it by the range.
Result<Message> decode(std::uint8_t type, ByteView body);

}  // namespace ccr::transport
