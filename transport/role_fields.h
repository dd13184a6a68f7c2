// The fields of the messages about roles, in wire order, for transport/messages.cc.
#pragma once

#include "transport/body_codec.h"
#include "transport/messages.h"
#include "transport/role_messages.h"

namespace ccr::transport {

template <class A, class Entry>
void role_fields(A& a, Entry& entry) {
  a.name(entry.database);
  a.signature(entry.signature);
  a.u64(entry.epoch);
  a.name(entry.active);
  a.flag(entry.forced);
  a.flag(entry.serving);
  a.flag(entry.whole);
  a.position(entry.end);
  a.u64(entry.commit);
  a.position(entry.backup);
  a.u64(entry.backup_epoch);
  a.wall(entry.backup_taken);
  a.name(entry.file_owner);
  a.name(entry.file_group);
  a.name(entry.file_label);
  a.u32(entry.file_mode);
}

inline void role_list(BodyWriter& a, const std::vector<RoleEntry>& entries) {
  a.require(entries.size() <= roles_max, "more roles than 1024");
  a.u16(static_cast<std::uint16_t>(entries.size()));
  for (const RoleEntry& entry : entries) role_fields(a, entry);
}

inline void role_list(BodyReader& a, std::vector<RoleEntry>& entries) {
  std::uint16_t count = 0;
  a.u16(count);
  a.require(count <= roles_max, "more roles than 1024");
  for (std::uint16_t i = 0; i < count && a.ok(); ++i) {
    RoleEntry entry;
    role_fields(a, entry);
    a.require(entry.file_mode <= 0777, "a mode that is none of a file");
    a.require(entry.epoch <= epoch_max && entry.backup_epoch <= epoch_max, "an epoch that has no next one");
    a.require(!entry.database.empty() && !entry.active.empty(), "a role of no database or of no node");
    entries.push_back(std::move(entry));
  }
}

template <class A>
void fields(A& a, typename A::template Ref<RolesTold> m) {
  a.flag(m.last);
  a.wall(m.at);
  a.u64(m.configuration);
  role_list(a, m.entries);
}

template <class A>
void fields(A& a, typename A::template Ref<HandoverAsk> m) {
  a.word(m.step, HandoverStep::move);
  a.name(m.database);
  a.u64(m.epoch);
  a.name(m.to);
  a.position(m.position);
  a.u64(m.commit);
  a.u64(m.root);
  a.flag(m.forced);
  a.require(m.epoch <= epoch_max, "an epoch that has no next one");
}

template <class A>
void fields(A& a, typename A::template Ref<HandoverAnswer> m) {
  a.flag(m.granted);
  a.text(m.text);
  a.text(m.hint);
  a.position(m.end);
  a.u64(m.commit);
}

}  // namespace ccr::transport
