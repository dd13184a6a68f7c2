// Hosted is one database as a node has it: its copy, active or passive, with what belongs to it.
//
// Its role changes only between two lives of the copy (engine/roles.h); `config.copies` names the active node first, whatever the file says.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/active_copy.h"
#include "engine/backup.h"
#include "engine/passive_copy.h"
#include "engine/role.h"
#include "engine/seed_forecast.h"
#include "engine/verification.h"

namespace ccr::engine {

// What was predicted of a seed, for whoever sees its end.
struct SeedWatch {
  SeedForecast predicted;
  Instant begun;
};

struct Hosted {
  explicit Hosted(const Executor& executor) : role_changed(executor) {}

  DatabaseConfig config;
  std::string configured;                // the node that the file names first
  std::unique_ptr<CopyStanding> standing;
  std::unique_ptr<Scrub> scrub;
  std::unique_ptr<CopyTable> copies;     // on the active node
  std::unique_ptr<ActiveCopy> active;    // while it is mounted or mounting
  std::unique_ptr<PassiveCopy> passive;  // as long as the node runs, since requests may wait in it; it lives while the copy is a passive one
  std::shared_ptr<Backup> backup;              // the one that runs, or the last, of either
  std::shared_ptr<Verification> verification;  // of `passive`: the one that runs, or the last
  // Connections of each peer and purpose, the oldest first: a newer one replaces it, but for further streams of a seed.
  std::map<std::pair<std::string, int>, std::list<transport::FramedConnection*>> connections;
  std::optional<SeedWatch> seed_watch;  // of the seed that a command began last
  bool is_active_here = false;
  bool source_broke_off = false;  // how the last life of `active` ended
  std::optional<Error> ended;     // why the last life did; none while one that served ends, and when the role changes

  Role role;                   // in force here, and durable where the copy has a state
  std::optional<Role> wanted;  // ends the present life: the next one begins with it
  std::string conflict;        // why no life begins, for a person to decide; empty: it may
  bool role_known = false;     // the state was read
  std::map<std::string, transport::RoleEntry> heard;  // of each peer, before that
  Epoch highest_epoch = 0;     // that any peer told of this history
  bool application_away = false;  // sqlite: the last life of `active` left its file to the copy (engine/application.h)
  bool activating = false;    // it asks the one before to give up, or fetches its log: whoever says meanwhile that this copy is the active one is heard later
  bool handing_over = false;   // a command that changes the role is on its way
  Signature signature;         // of the copy, as it was at the last change of its role
  Epoch prepared = 0;          // as in its state
  std::optional<Instant> cut_seen;  // when a place where its log may end was first found there, with no command that brings it about
  std::optional<Instant> agreed_since;  // when an epoch for which it is prepared was first said to be in force
  ActiveCopy::Tip last_tip;    // of the last life of `active`
  LivedLog lived;              // of the last one that served
  Signal role_changed;         // `wanted` or `role`, or the last of its lives is over
  TaskGroup* lives = nullptr;  // where its lives run, one after another; null: none does
  bool forgotten = false;      // no life begins any more (engine/membership.h)
};

// Only one handover at a time, and whatever way it ends.
struct HandingOver {
  Hosted& hosted;
  explicit HandingOver(Hosted& h) : hosted(h) { hosted.handing_over = true; }
  ~HandingOver() { hosted.handing_over = false; }
};

// While it lives, who gave up and says so finds no one in a hurry: this copy becomes the active one when it has what there is.
struct Activating {
  Hosted& hosted;
  explicit Activating(Hosted& h) : hosted(h) { hosted.activating = true; }
  Activating(const Activating&) = delete;
  Activating& operator=(const Activating&) = delete;
  ~Activating() { hosted.activating = false; }
};

// An active copy whose file programs use: a life of it brings all of that into the log and takes the file from them, before another role holds.
inline bool must_leave_first(const Hosted& hosted) {
  const bool away = hosted.application_away || (hosted.active && hosted.active->application() != nullptr && hosted.active->application()->away());
  const bool history = hosted.signature.known() || (hosted.active && hosted.active->ready());
  return hosted.config.kind == DatabaseKind::sqlite && hosted.is_active_here && history && !away && hosted.wanted &&
         hosted.wanted->active != hosted.config.copies.front();
}

inline Error conflict_of(const Hosted& hosted) {
  const std::vector<std::string>& copies = hosted.config.copies;  // this node's first: its copy is the active one
  const auto command = [&](const std::string& node) { return "`ccr activate " + hosted.config.name + " --on " + node + " --dial force`"; };
  std::string others;
  for (std::size_t i = 1; i < copies.size(); ++i) others += (i > 1 ? " or " : "") + command(copies[i]);
  return {ErrorKind::refused, hosted.conflict, "a person decides: " + others + " goes on with what is there, " + command(copies.front()) + " with what is here"};
}

}  // namespace ccr::engine
