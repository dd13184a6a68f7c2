// How a node answers a hello: what it knows of the database that is named, for the verdict of the handshake.
#include "engine/chain_points.h"
#include "engine/log_fetch.h"
#include "engine/node.h"
#include "engine/passive_source.h"

namespace ccr::engine {

using transport::Purpose;

namespace {

// Own digests for the points of the hello, of a log that ends at facts.durable; none of another history.
Task<Result<void>> put_digests(storage::Disk& disk, storage::LogDirectory log, const transport::Hello& hello, transport::ActiveFacts& facts) {
  facts.own_digests.resize(hello.chain.size());
  if (facts.signature != hello.signature) co_return Result<void>();
  Result<std::vector<std::optional<Digest128>>> own = co_await own_digests(disk, std::move(log), facts.durable, hello.chain);
  if (!own.ok()) co_return own.error();
  facts.own_digests = std::move(*own);
  co_return Result<void>();
}

}  // namespace

TaskGroup* Node::service_of(const Hosted& hosted, Purpose purpose) {
  if (purpose == Purpose::fetch) return hosted.is_active_here ? nullptr : hosted.passive->log_service();
  if (hosted.active && hosted.active->ready()) return &hosted.active->group();
  return purpose == Purpose::repair && !hosted.is_active_here ? hosted.passive->page_service() : nullptr;
}

Task<Result<transport::HandshakeAnswer>> Node::answer_hello(const transport::Hello& hello, std::string proven_peer) {
  transport::ActiveFacts facts;
  Position answered;
  facts.cluster = config_.cluster;
  facts.node = config_.node;
  facts.proven_peer = std::move(proven_peer);
  if (!transport::of_database(hello.purpose)) {
    for (const auto& [name, node] : config_.nodes) facts.copies.push_back(name);
    co_return transport::decide_handshake(hello, facts);
  }
  Hosted* hosted = find(hello.database);
  if (hosted != nullptr) {
    facts.database = hosted->config.name;
    facts.kind = name_of(hosted->config.kind);
    facts.copies = hosted->config.copies;
    facts.active = hosted->is_active_here;
    facts.active_node = hosted->role.active;
    facts.epoch = hosted->role.epoch;
    facts.ready = service_of(*hosted, hello.purpose) != nullptr;
    if (hello.purpose == Purpose::pages && !hosted->is_active_here) {
      put_source_facts(*hosted->passive, facts);
      facts.own_digests.resize(hello.chain.size());
      co_return transport::decide_handshake(hello, facts);
    }
  }
  if (facts.ready && hello.purpose == Purpose::repair) {
    facts.signature = (hosted->active ? hosted->active->state() : hosted->passive->state()).signature;
    facts.own_digests.resize(hello.chain.size());
  } else if (facts.ready && hello.purpose == Purpose::fetch) {
    const LogHeld held = *hosted->passive->log_held();  // it has that service
    put_source_facts(*hosted->passive, facts);
    facts.ready = true;
    answered = held.end;
    facts.durable = storage::end_of_block(answered);
    CCR_CO_TRY(co_await put_digests(context_.disk, held.directory, hello, facts));
  } else if (facts.ready) {
    ActiveCopy& active = *hosted->active;
    facts.signature = active.log().signature();
    facts.epoch = active.log().epoch();
    facts.forced = hosted->role.forced;
    facts.page_size = active.digests().page_size();
    facts.generation_bytes = hosted->config.generation_bytes;
    facts.first = active.log_keeper().first();
    answered = active.tip().durable;
    facts.durable = storage::end_of_block(answered);
    CCR_CO_TRY(co_await put_digests(context_.disk, active.log_directory(), hello, facts));
  }
  transport::HandshakeAnswer answer = transport::decide_handshake(hello, facts);
  answer.welcome.durable = answered;
  // Nothing was shipped but what was durable here: so this node's disk is an older one, and what is missing was acknowledged.
  const bool went_back = !answer.refuse && answer.welcome.verdict == transport::Verdict::ahead && hello.epoch == facts.epoch && hosted->config.kind == DatabaseKind::pages;
  if (went_back && hello.purpose == Purpose::log) {
    roles_.stop(*hosted, "its log ends at " + to_text(answered) + ", and " + subject_of(hosted->config, hello.from_node) + " has it to " + to_text(hello.wanted) +
                             ": this node's disk is an older one");
  }
  co_return answer;
}

}  // namespace ccr::engine
