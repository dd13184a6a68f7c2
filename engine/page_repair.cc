#include "engine/page_repair.h"

#include <algorithm>
#include <utility>

#include "storage/quarantine.h"

namespace ccr::engine {
namespace {

constexpr int digest_digits = 16;

// What was found under a hold, and where table and file stood then.
struct Standing {
  PageFound found;
  Position at;
};

Task<Result<Standing>> find_held(OwnPages& pages, PageNumber page) {
  CCR_CO_TRY(co_await pages.hold());
  const OwnPagesHeld held(pages);
  Result<PageFound> found = co_await find_page(pages, page);
  if (!found.ok()) co_return found.error();
  Standing standing;
  standing.found = std::move(*found);
  standing.at = pages.position();
  co_return std::move(standing);
}

bool is_sound(const PageFound& found) noexcept { return !found.exists || found.equal; }

RepairOutcome outcome_of(Repair what, std::string cause = "") {
  RepairOutcome outcome;
  outcome.what = what;
  outcome.cause = std::move(cause);
  return outcome;
}

// Written only where it is still what the page should be, and is not.
Task<Result<RepairOutcome>> put_page(OwnPages& pages, PageNumber page, const PageTaken& taken) {
  CCR_CO_TRY(co_await pages.hold());
  const OwnPagesHeld held(pages);
  const Result<PageFound> before = co_await find_page(pages, page);
  if (!before.ok()) co_return before.error();
  if (is_sound(*before)) co_return outcome_of(Repair::healed);
  const bool fits = taken.image.size() == pages.file().page_size() && page_digest(page, taken.image) == before->expected;
  if (!fits) co_return outcome_of(Repair::waits, "it changed while it was fetched");
  Result<void> written = co_await pages.file().write(page, taken.image);
  if (written.ok()) written = co_await pages.file().sync();
  if (!written.ok()) {
    RepairOutcome failed = outcome_of(Repair::damaged, "it cannot be written anew: " + written.error().message);
    failed.fault = written.error();
    co_return failed;
  }
  const Result<PageFound> after = co_await find_page(pages, page);
  if (!after.ok()) co_return after.error();
  if (!after->equal) co_return outcome_of(Repair::damaged, "the disk does not keep what is written there");
  co_return outcome_of(Repair::repaired);
}

PeerWord word_of(const Result<PageTaken>& taken, Position own) {
  using Answer = transport::PageAnswer::Standing;
  if (!taken.ok()) {
    if (taken.error().kind == ErrorKind::busy) return PeerWord::later;
    return taken.error().kind == ErrorKind::refused ? PeerWord::apart : PeerWord::silent;
  }
  switch (taken->standing) {
    case Answer::same: break;  // but another image than was asked for
    case Answer::other: return taken->as_of == own ? PeerWord::apart : PeerWord::ahead;
    case Answer::damaged: return PeerWord::damaged;
    case Answer::later: return PeerWord::later;
  }
  return PeerWord::later;
}

std::string text_of(PeerWord word, const std::string& node, const Result<PageTaken>& taken) {
  switch (word) {
    case PeerWord::silent: return taken.error().message;
    case PeerWord::later: return node + " cannot tell now";
    case PeerWord::ahead: return "on " + node + " it is of another commit";
    case PeerWord::apart: return taken.ok() ? node + " has another page there at the same position" : taken.error().message;
    case PeerWord::damaged: return "it is rotten on " + node + " too";
  }
  return "";
}

}  // namespace

Repair without_page(const std::vector<PeerWord>& words) noexcept {
  const auto may_help = [](PeerWord word) { return word == PeerWord::silent || word == PeerWord::later || word == PeerWord::ahead; };
  return std::any_of(words.begin(), words.end(), may_help) ? Repair::waits : Repair::damaged;
}

Task<Result<bool>> set_aside_rotten(RepairPlace place, OwnPages& pages, PageNumber page) {
  const Result<Standing> now = co_await find_held(pages, page);
  if (!now.ok()) co_return now.error();
  if (is_sound(now->found)) co_return false;
  Event event{"page_rotten",
              subject_of(place.database, place.context.config.node),
              {{"page", std::to_string(page)}, {"position", to_text(now->at)}, {"expected", to_hex(now->found.expected, digest_digits)}}};
  if (!now->found.readable) {
    event.fields.emplace_back("found", "unreadable");
  } else {
    const Result<bool> kept = co_await storage::set_aside_page(place.context.disk, place.log_directory, page, now->found.bytes.view());
    event.fields.emplace_back("found", to_hex(page_digest(page, now->found.bytes.view()), digest_digits));
    event.fields.emplace_back("set_aside", !kept.ok() ? kept.error().message : *kept ? "yes" : "no: quarantine/pages is full");
  }
  place.context.trace.record(event);
  co_return true;
}

Task<Result<RepairOutcome>> repair_page(RepairPlace place, OwnPages& pages, PageNumber page) {
  const Result<Standing> now = co_await find_held(pages, page);
  if (!now.ok()) co_return now.error();
  if (is_sound(now->found)) co_return outcome_of(Repair::healed);
  const std::string& self = place.context.config.node;
  std::vector<PeerWord> words;
  std::string cause;
  const std::vector<std::string> copies = place.database.copies;  // they may change meanwhile
  for (const std::string& node : copies) {
    if (node == self) continue;
    const transport::PageAsk ask{page, now->found.expected};
    const Result<PageTaken> taken = co_await ask_for_page(place.context, place.database, place.signature, node, ask);
    if (taken.ok() && taken->standing == transport::PageAnswer::Standing::same) {
      Result<RepairOutcome> put = co_await put_page(pages, page, *taken);
      if (put.ok()) {
        put->from = node;
        put->wire_bytes = taken->wire_bytes;
      }
      co_return put;
    }
    words.push_back(word_of(taken, now->at));
    cause += (cause.empty() ? "" : "; ") + text_of(words.back(), node, taken);
  }
  if (words.empty()) cause = "there is no other copy";
  co_return outcome_of(without_page(words), cause);
}

}  // namespace ccr::engine
