#include "engine/ship_verdict.h"

namespace ccr::engine {

const ShipStage* ShipStages::slowest() const {
  const ShipStage* found = nullptr;
  for (const ShipStage& stage : carriers) {
    if (stage.known() && (found == nullptr || stage.limit < found->limit)) found = &stage;
  }
  return found;
}

const ShipStage* ShipStages::limiting() const {
  const ShipStage* found = nullptr;
  for (const std::vector<ShipStage>* stages : {&carriers, &processors}) {
    for (const ShipStage& stage : *stages) {
      if (stage.share() >= limiting_share_min && (found == nullptr || stage.share() > found->share())) found = &stage;
    }
  }
  return found;
}

}  // namespace ccr::engine
