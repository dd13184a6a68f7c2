#include "seed/seed_verify.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "seed/pass_question.h"
#include "seed/seed_plan.h"
#include "seed/seed_transfer.h"
#include "storage/rate_turn.h"

namespace ccr::seed {
namespace {

using transport::Message;

Error verify_violation(std::string what) { return {ErrorKind::protocol, "verify: " + std::move(what), ""}; }

Result<void> add_answer(const transport::VerifyAnswer& answer, std::uint32_t page_size, VerifyReport& report) {
  const PageRun pages = pages_of_extent(answer.extent, answer.page_count, page_size);
  if (answer.disk.size() != pages.count || answer.table.size() != pages.count) {
    return verify_violation("extent " + std::to_string(answer.extent) + " has " + std::to_string(pages.count) + " pages, " +
                     std::to_string(answer.disk.size()) + " and " + std::to_string(answer.table.size()) + " digests came");
  }
  if (pages.count > 0) ++report.extents;
  report.pages += pages.count;
  if (!report.as_of_first.known()) report.as_of_first = answer.as_of;
  if (answer.as_of >= report.as_of_last) {
    report.as_of_last = answer.as_of;
    report.commit_last = answer.commit;
  }
  for (std::uint32_t i = 0; i < pages.count; ++i) {
    if (answer.disk[i] == answer.table[i]) continue;
    ++report.differing;
    if (report.first_differing.size() < differing_pages_max) report.first_differing.push_back(pages.first + i);
  }
  return {};
}

}  // namespace

// Answers may change places. An empty database has an extent 0 of no pages: its answer tells the length.
Task<Result<VerifyReport>> verify_extents(Clock& clock, transport::FramedConnection& connection, VerifyOptions options) {
  VerifyReport report;
  storage::TokenBucket rate({options.bytes_per_second, 0});
  std::set<std::uint32_t> asked;
  std::uint32_t next = 0, extents = 1;
  while (next < extents || !asked.empty()) {
    while (next < extents && asked.size() < verifies_in_flight_max) {
      co_await storage::wait_for_rate(clock, rate, storage::extent_bytes);
      const Message question = transport::VerifyAsk{next};
      asked.insert(next);
      ++next;
      CCR_CO_TRY(co_await connection.send(question));
    }
    std::string what = "VerifyAnswer";
    Task<Result<Message>> receiving = connection.receive();
    const Result<Message> message = co_await with_timeout(clock, seed_silence_max, std::move(what), std::move(receiving));
    if (!message.ok()) co_return message.error();
    if (const auto* refuse = std::get_if<transport::Refuse>(&*message)) {
      co_return Error{ErrorKind::refused, "the source ended the verification: " + refuse->text, refuse->hint};
    }
    const auto* answer = std::get_if<transport::VerifyAnswer>(&*message);
    if (answer == nullptr || asked.erase(answer->extent) == 0) co_return verify_violation("an answer that was not asked for");
    CCR_CO_TRY(add_answer(*answer, options.page_size, report));
    extents = extents_of(answer->page_count, options.page_size);
    options.progress(report.pages * options.page_size, std::uint64_t(answer->page_count) * options.page_size);
  }
  std::sort(report.first_differing.begin(), report.first_differing.end());
  co_return report;
}

}  // namespace ccr::seed
