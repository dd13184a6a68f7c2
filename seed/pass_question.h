// One question of a pass and its answer, where nothing else is on its way over that connection.
//
// Errors: those of the connection; timeout after seed_silence_max; refused or diverged where the source says no (refusal_of); protocol when
// something else came.
#pragma once

#include <string>
#include <utility>

#include "base/timeout.h"
#include "transport/framed_connection.h"

namespace ccr::seed {

// A peer that owes an answer and sends nothing for so long is gone.
inline constexpr Duration seed_silence_max = std::chrono::seconds(60);

// What a source's word against a seed means: ErrorKind::diverged when its own pages are not what its log says, which no other try will
// mend; else refused.
Error refusal_of(const transport::Refuse& refuse);

Error no_answer(const transport::Message& message, const char* expected);

template <class Answer>
Task<Result<Answer>> ask_once(Clock& clock, transport::FramedConnection& connection, transport::Message question, const char* expected) {
  CCR_CO_TRY(co_await connection.send(std::move(question)));
  std::string what = expected;
  Task<Result<transport::Message>> receiving = connection.receive();
  const Result<transport::Message> answer = co_await with_timeout(clock, seed_silence_max, std::move(what), std::move(receiving));
  if (!answer.ok()) co_return answer.error();
  const Answer* found = std::get_if<Answer>(&*answer);
  if (found == nullptr) co_return no_answer(*answer, expected);
  co_return *found;
}

}  // namespace ccr::seed
