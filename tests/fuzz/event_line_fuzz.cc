// Any text as a line of the file in which a node keeps its events: it is none, or an event that is the same when it is written and read again.
#include "engine/event_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ccr;
  using namespace ccr::engine;
  const std::optional<NumberedEvent> found = decode_event_line(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!found) return 0;
  CCR_ASSERT(found->number != 0 && !found->event.name.empty());
  const std::string line = encode_event_line(*found);
  CCR_ASSERT(line.find('\n') == std::string::npos);
  const std::optional<NumberedEvent> again = decode_event_line(line);
  CCR_ASSERT(again && again->number == found->number && again->at == found->at && again->event.name == found->event.name);
  CCR_ASSERT(again->event.subject == found->event.subject && again->event.fields == found->event.fields);
  return 0;
}
