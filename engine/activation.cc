#include "engine/activation.h"

#include <algorithm>
#include <array>
#include <limits>

namespace ccr::engine {
namespace {

constexpr std::array<const char*, 4> dial_names{"lossless", "good", "best", "force"};

void refuse(ActivationVerdict& verdict, std::string reason, std::string hint) {
  verdict.allowed = false;
  verdict.reason = std::move(reason);
  verdict.hint = std::move(hint);
}

const char* enough_for(std::uint64_t generations) {
  for (const Dial dial : {Dial::good, Dial::best})
    if (generations <= generations_allowed(dial)) return dial == Dial::good ? "good allows 6" : "best allows 12";
  return "force allows any loss";
}

// Log that is there for nothing: it ends a gap, and the pages before the gap are not there either.
std::string elsewhere(const ActivationFacts& facts) {
  if (facts.further.empty()) return "";
  return "; " + facts.further + " has log to " + to_text(facts.further_end) + ", but not what lies before it, and no whole copy";
}

void count_missing(const ActivationFacts& facts, ActivationVerdict& verdict) {
  verdict.known = facts.answers && facts.end.known();
  const Position end = std::max(verdict.known ? facts.end : facts.tip, facts.further_end);
  verdict.generations = generations_between(facts.inspected, end);
  verdict.bytes = distance(facts.inspected, end, facts.generation_bytes).value;
  const bool counted = verdict.known && facts.replayed_all && facts.end_commit >= facts.replayed_commit;
  if (counted) verdict.commits = facts.end_commit - facts.replayed_commit;
  if (verdict.known && verdict.generations == 0) verdict.commits = 0;
}

}  // namespace

std::uint64_t generations_between(Position from, Position to) noexcept {
  if (to <= from) return 0;
  const std::uint64_t begun = to.offset > Position::first_offset ? 1 : 0;
  return std::max<std::uint64_t>(1, to.generation.number - from.generation.number + begun);
}

std::optional<Dial> dial_of(const std::string& name) noexcept {
  for (std::size_t i = 0; i < dial_names.size(); ++i)
    if (name == dial_names[i]) return static_cast<Dial>(i);
  return std::nullopt;
}

const char* name_of(Dial dial) noexcept { return dial_names[static_cast<std::size_t>(dial)]; }

std::uint64_t generations_allowed(Dial dial) noexcept {
  switch (dial) {
    case Dial::lossless: return 0;
    case Dial::good: return 6;
    case Dial::best: return 12;
    case Dial::force: break;
  }
  return std::numeric_limits<std::uint64_t>::max();
}

ActivationVerdict decide_activation(const ActivationFacts& facts, Dial dial) {
  ActivationVerdict verdict;
  count_missing(facts, verdict);
  verdict.allowed = true;
  const bool forced = dial == Dial::force;
  if (!facts.seeded || !facts.inspected.known()) {
    refuse(verdict, "it is no copy: it was never seeded to its end", "ccr seed");
  } else if (facts.damaged_pages > 0) {
    refuse(verdict, std::to_string(facts.damaged_pages) + " of its pages are damaged", "ccr verify repairs what another copy has; ccr seed makes it anew");
  } else if (forced) {
    return verdict;
  } else if (facts.failed) {
    refuse(verdict, "it failed, and what it has is in doubt", "--dial force takes it as it is");
  } else if (facts.answers && facts.serves) {
    refuse(verdict, "the active copy serves", facts.until ? "--dial force ends it there, and gives up what is later" : "ccr move loses nothing; --dial force takes the copy over as it is");
  } else if (facts.further_whole) {
    refuse(verdict, facts.further + " has more of the log, to " + to_text(facts.further_end) + ", and cannot give it any more", "activate the copy on " + facts.further);
  } else if (!verdict.known) {
    refuse(verdict, "what is missing is unknown since " + (facts.tip_heard.known() ? to_rfc3339(facts.tip_heard) : std::string("ever")),
           "make sure that the other node is down and stays down, then --dial force");
  } else if (verdict.generations > generations_allowed(dial)) {
    refuse(verdict, std::to_string(verdict.generations) + " generations are " + (facts.until ? "given up, " : "missing, ") + name_of(dial) + " allows " + std::to_string(generations_allowed(dial)) + elsewhere(facts),
           std::string("--dial ") + enough_for(verdict.generations));
  }
  return verdict;
}

}  // namespace ccr::engine
