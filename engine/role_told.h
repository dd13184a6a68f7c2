// What a node tells its peers of a copy of its own, and what it takes from their telling beside the role itself (engine/roles.h).
#pragma once

#include "engine/hosted.h"
#include "transport/role_messages.h"

namespace ccr::engine {

Signature signature_of(const Hosted& hosted);
Role role_of(const Hosted& hosted);  // an epoch that came with the handshake of the log is of the same active node
// Its log's end as far as it is known to be durable.
transport::RoleEntry told_of(const Hosted& hosted);
// Up to which epoch its copy agreed to become the active one; 0: none.
Epoch prepared_of(const Hosted& hosted);

// A newer backup of this history and of `epoch`, the one in force: what was backed up before may have been left by a fork since.
void hear_of_backup(Hosted& hosted, const transport::RoleEntry& entry, Epoch epoch);

// What its own state tells a copy that begins. identity: of an active one on a node without a copy: it would begin as the active one, beside that.
Result<void> check_active_named(const NodeContext& context, const Hosted& hosted, const storage::CopyState& state);

// Of the active copy's file, while it is served: who may use it.
void hear_of_access(Hosted& hosted, const transport::RoleEntry& entry);

}  // namespace ccr::engine
