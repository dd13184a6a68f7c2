// CopyTable is what an active copy knows of its passive ones: watermarks as they report them, lag, and the pins they put on the log.
//
// Lag is measured on this node's clock: from the moment a position became durable here to the moment a copy said it is durable there.
// Unknown stays unknown: everything about a copy that is not connected carries the time it was last heard.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/position_times.h"
#include "engine/pulse.h"
#include "storage/state_file.h"
#include "transport/messages.h"
#include "transport/network.h"

namespace ccr::engine {

// How log goes to a copy now.
struct PackingFacts {
  int level = 0;                    // 0: as it is
  std::uint64_t history_bytes = 0;
  const char* reason = "";
};

struct CopyFacts {
  bool connected = false;
  std::uint64_t connection_number = 0;  // grows with each
  bool heard = false;                 // watermarks below were reported at least once since this node started
  transport::Watermarks watermarks;
  WallTime heard_at;
  WallTime state_since;               // when this node first heard of the state reported now
  std::optional<double> lag_seconds;  // of the group acknowledged last, of those that became durable while it was connected
  Instant sampled_from;               // it connected, or another pass began: what is older waited for that, and is no sample
  std::uint64_t shipped_bytes = 0;    // of log, since this node started
  std::uint64_t wire_bytes = 0;       // that its connections took for it, tips included; below TLS
  PackingFacts packing;
  double bytes_per_second = 0;
  bool block_mode = false;            // at the tail of the log
  transport::Endpoint path;
  transport::ConnectionFacts connection;
  std::shared_ptr<const Pulse> pulse; // while connected: what stands for its heartbeats when it is at rest
};
WallTime last_heard(const CopyFacts& copy);

class CopyTable {
 public:
  CopyTable(Clock& clock, std::vector<std::string> nodes);

  CopyFacts& of(const std::string& node);
  void add(const std::string& node);     // a copy more, of which nothing was heard
  void forget(const std::string& node);  // it counts for nothing any more; its facts, blank, stay for who still refers to them
  const std::map<std::string, CopyFacts>& all() const noexcept { return copies_; }

  void durable_here(Position position);                                       // a group became durable
  // Anew: what was missing meanwhile is no sample. The connection's number: what its end means is for that of the last one to say.
  std::uint64_t connected(const std::string& node);
  void heard(const std::string& node, const transport::Watermarks& watermarks);
  void shipped(const std::string& node, std::uint64_t log_bytes, std::uint64_t wire_bytes);
  // Seconds since the oldest position that `node` has not durable became durable here, or the last sample where that was longer; 0 when it
  // has everything; nullopt when it is not connected.
  std::optional<double> lag_of(const std::string& node) const;

 private:
  struct Rate {
    Instant since;
    std::uint64_t bytes = 0;
  };

  Clock& clock_;
  std::map<std::string, CopyFacts> copies_;
  std::map<std::string, Rate> rates_;
  PositionTimes durable_times_;
};

// Moves the pin of a passive copy to what it has inspected; adds it when it has none. Never touches a dropped pin before the copy is
// whole again (`seeded`). Pure.
void move_copy_pin(std::vector<storage::Pin>& pins, const std::string& node, Position inspected);
void set_seed_pin(std::vector<storage::Pin>& pins, const std::string& node, Position from);
void remove_pin(std::vector<storage::Pin>& pins, const std::string& node, storage::Pin::Kind kind);
// Of nodes that have no copy; the owners of what was dropped.
std::vector<std::string> drop_foreign_pins(std::vector<storage::Pin>& pins, const std::vector<std::string>& copies);
const storage::Pin* find_pin(const std::vector<storage::Pin>& pins, const std::string& node, storage::Pin::Kind kind);

}  // namespace ccr::engine
