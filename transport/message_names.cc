#include "transport/messages.h"

namespace ccr::transport {

const char* name_of(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::same:
      return "same";
    case Verdict::behind:
      return "behind";
    case Verdict::ahead:
      return "ahead";
    case Verdict::forked:
      return "forked";
    case Verdict::other_history:
      return "other_history";
    case Verdict::unknown:
      return "unknown";
    case Verdict::unseeded:
      return "unseeded";
  }
  return "?";
}

const char* name_of(RefuseReason reason) noexcept {
  switch (reason) {
    case RefuseReason::version:
      return "version";
    case RefuseReason::cluster:
      return "cluster";
    case RefuseReason::node:
      return "node";
    case RefuseReason::database:
      return "database";
    case RefuseReason::not_active:
      return "not_active";
    case RefuseReason::kind:
      return "kind";
    case RefuseReason::epoch:
      return "epoch";
    case RefuseReason::not_ready:
      return "not_ready";
    case RefuseReason::busy:
      return "busy";
    case RefuseReason::protocol:
      return "protocol";
    case RefuseReason::suspended:
      return "suspended";
    case RefuseReason::damaged:
      return "damaged";
  }
  return "?";
}

const char* name_of(HandoverStep step) noexcept {
  switch (step) {
    case HandoverStep::check:
      return "check";
    case HandoverStep::prepare:
      return "prepare";
    case HandoverStep::undo:
      return "undo";
    case HandoverStep::take:
      return "take";
    case HandoverStep::yield:
      return "yield";
    case HandoverStep::move:
      return "move";
  }
  return "?";
}

Error unexpected(const Message& message, const std::string& where) {
  const std::uint8_t type = type_of(message);
  return {ErrorKind::protocol, "a message of type " + std::to_string(type) + " (" + type_name(type) + ") on " + where, "is it ccr, of the same version? ccr version"};
}

}  // namespace ccr::transport
