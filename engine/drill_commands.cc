// `drill` of the control socket: the steps of a drill that only the copy's own node can do. What is checked around them, and the verdict,
// are the drill's (tools/drill_run.h).
#include <nlohmann/json.hpp>

#include "engine/commands.h"
#include "engine/watched.h"

namespace ccr::engine {

using nlohmann::json;

// A page that was damaged on purpose is looked for at once, by the node itself: it is found and shown also when whoever asked is gone.
Task<Result<json>> Commands::drill(const ControlRequest& request, ControlReply& reply) {
  const Result<PassiveCopy*> passive = passive_of(request);
  if (!passive.ok()) co_return passive.error();
  const Result<std::string> step = request.text("step");
  if (!step.ok()) co_return step.error();
  if (*step == "cut") {
    const bool cut = (*passive)->cut_seed();
    co_return json{{"schema", 1}, {"cut", cut}};
  }
  if (*step != "rot") co_return Error{ErrorKind::usage, "no step of a drill is called '" + *step + "'", "cut or rot"};
  Hosted& hosted = *node_.find(request.database());
  if (hosted.verification != nullptr && !hosted.verification->ended())
    co_return Error{ErrorKind::busy, "a verification of " + subject_of(hosted.config, node_.config().node) + " is running", "wait for its end"};
  const Result<RottenBit> rotten = co_await (*passive)->rot();
  if (!rotten.ok()) co_return rotten.error();
  const std::shared_ptr<Verification> looking = begin_verification(hosted, context_.config.verify_bytes_per_second);
  CCR_CO_TRY(co_await watch_verification(*looking, reply));
  const Result<json> found = looking->result();
  if (!found.ok()) co_return found.error();
  co_return json{{"schema", 1}, {"page", rotten->page}, {"bit", rotten->bit}, {"found", *found}};
}

}  // namespace ccr::engine
