// Who is the active copy of a database: what a node knows of it, and which of two such beliefs holds. Pure.
//
// Each activation raises the epoch, and one epoch has one active node. So the higher epoch holds, whoever says so; two nodes for one epoch
// is what only two forced activations on both sides of a cut can bring about, and for a person to decide.
#pragma once

#include <string>
#include <vector>

#include "base/digest.h"
#include "base/position.h"
#include "storage/state_file.h"
#include "transport/role_messages.h"

namespace ccr::engine {

struct Role {
  Epoch epoch = 0;      // 0: nothing is known but the configuration
  std::string active;   // the node
  bool forced = false;  // activated without asking the one before, which may have gone on
  bool operator==(const Role&) const = default;
};

enum class RoleVerdict {
  same,      // both believe the same
  newer,     // theirs holds, and is news here
  older,     // ours holds
  foreign,   // of another history: says nothing here
  conflict,  // one epoch, two nodes
};

// `here` and `there` with the signatures of the copies that they are about. A copy without a history believes whatever it is told.
RoleVerdict compare_roles(const Role& here, const Signature& signature_here, const Role& there, const Signature& signature_there);

// Of a database, the active node first; a node without a copy changes nothing.
void put_first(std::vector<std::string>& copies, const std::string& active);

// What a copy's state says; `configured`: the node that the configuration names first.
Role role_of(const storage::CopyState& state, const std::string& configured);

// Of a node that is the active one in `epoch`, heard by a passive copy. Where it is the epoch for which this one gave up, what the next one has not is known
// there, and was said; unless it began without that answer, or others followed since.
void hear_epoch(storage::CopyState& state, Epoch epoch, bool forced);

inline constexpr const char* forked_cause = "FORKED: ";  // begins the cause of a copy that waits for a person to decide about commits which it alone has
bool waits_forked(const storage::CopyState& state);
// It may have some, and nobody was asked yet.
bool may_be_alone(const storage::CopyState& state);
// A person resumes the copy: what it alone may have is set aside where that was the question, and stays a question else. What it agreed to by the other
// answer is void with that.
void hear_resume(storage::CopyState& state);

// What a copy remembers from the moment on at which `role` holds, for the node `own` where it was active before or is now. The other nodes of
// `copies` pin the log of a new active copy from `first` on until they are heard of.
void take_role(storage::CopyState& state, const Role& role, const std::string& own, const std::vector<std::string>& copies, bool was_active,
               Generation first);

}  // namespace ccr::engine
