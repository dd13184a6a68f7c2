#include "seed/pass_question.h"

namespace ccr::seed {

Error refusal_of(const transport::Refuse& refuse) {
  const bool damaged = refuse.reason == transport::RefuseReason::damaged;
  return {damaged ? ErrorKind::diverged : ErrorKind::refused, "the source ended the seed: " + refuse.text, refuse.hint};
}

Error no_answer(const transport::Message& message, const char* expected) {
  if (const auto* refuse = std::get_if<transport::Refuse>(&message)) return refusal_of(*refuse);
  return {ErrorKind::protocol,
          std::string("seed: expected ") + expected + ", got " + transport::type_name(transport::type_of(message)), ""};
}

}  // namespace ccr::seed
