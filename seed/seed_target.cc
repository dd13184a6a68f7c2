#include "seed/seed_target.h"

#include <utility>

#include "seed/pass_question.h"
#include "storage/file_replacement.h"

namespace ccr::seed {
namespace {

using transport::FramedConnection;
using transport::Message;

}  // namespace

SeedTarget::SeedTarget(Clock& clock, storage::Disk& disk, std::string directory, storage::PageFile& file,
                       storage::PageDigests& digests, SeedObserver& observer, SeedOptions options)
    : clock_(clock),
      disk_(disk),
      file_(file),
      digests_(digests),
      observer_(observer),
      options_(options),
      map_(disk, std::move(directory)) {}

Task<Result<SeedOutcome>> SeedTarget::run(FramedConnection& connection) {
  CCR_CO_TRY(co_await map_.load());
  const Result<transport::SeedOffer> offer = co_await open(connection);
  if (!offer.ok()) co_return offer.error();
  OwnContent own(file_, digests_, map_, options_.own_table);
  CCR_CO_TRY(co_await begin(*offer));
  CCR_CO_TRY(co_await own.resize(map_.pass().page_count));
  CCR_CO_TRY(co_await transfer(connection, own));
  const Result<transport::SeedEnd> end = co_await finish(connection);
  if (!end.ok()) co_return end.error();
  co_return SeedOutcome{map_.pass(), offer->resumed, end->until, end->commit};
}

// A map counts only for the pass that the engine has open too: a crash between the two leaves the map behind, and a new pass
// begins.
Task<Result<transport::SeedOffer>> SeedTarget::open(FramedConnection& connection) {
  const bool goes_on = map_.known() && map_.pass().from == options_.open_pass && map_.pass().page_size == file_.page_size();
  const Position asked = goes_on ? options_.open_pass : Position{};
  const Message question = transport::SeedOpen{asked};
  const Result<transport::SeedOffer> offer = co_await ask_once<transport::SeedOffer>(clock_, connection, question, "SeedOffer");
  if (!offer.ok()) co_return offer.error();
  CCR_CO_TRY(check_offer(*offer, asked));
  co_return offer;
}

Result<void> SeedTarget::check_offer(const transport::SeedOffer& offer, Position asked) const {
  if (!offer.from.known()) return Error{ErrorKind::protocol, "seed: the source offers no position", ""};
  if (offer.resumed && (!asked.known() || offer.from != asked)) {
    return Error{ErrorKind::protocol, "seed: the source resumes " + to_text(offer.from) + ", asked was " + to_text(asked), ""};
  }
  if (offer.page_size != file_.page_size()) {
    return Error{ErrorKind::identity,
                 "seed: the source's pages have " + std::to_string(offer.page_size) + " bytes, those of " + file_.path() + " " +
                     std::to_string(file_.page_size()),
                 ""};
  }
  return {};
}

Task<Result<void>> SeedTarget::check_space(const transport::SeedOffer& offer) {
  if (offer.page_count <= file_.page_count()) co_return Result<void>();
  const std::uint64_t growth = std::uint64_t(offer.page_count - file_.page_count()) * file_.page_size();
  const std::uint64_t needed = growth + growth / 10;  // the log that is shipped meanwhile wants some too
  const std::string directory = storage::directory_of(file_.path());
  const Result<storage::DiskSpace> space = co_await disk_.space(directory);
  if (!space.ok()) co_return space.error();
  if (space->free_bytes >= needed) co_return Result<void>();
  co_return Error{
      ErrorKind::no_space,
      "seed: " + directory + " has " + std::to_string(space->free_bytes) + " bytes free, needed are " + std::to_string(needed),
      "free some space; nothing was changed"};
}

// 1. the engine's record of P, 2. the map's. A crash between the two leaves a map of another pass than the engine's, which open()
// sees.
Task<Result<void>> SeedTarget::begin(const transport::SeedOffer& offer) {
  if (offer.resumed) {
    CCR_CO_TRY(co_await observer_.pass_resumed(offer));
    co_return co_await map_.unsettle();
  }
  CCR_CO_TRY(co_await check_space(offer));
  CCR_CO_TRY(co_await observer_.pass_opened(offer));
  const SeedPassId pass{offer.from, offer.from_commit, offer.page_count, offer.page_size};
  co_return co_await map_.reset(pass);
}

Task<Result<void>> SeedTarget::transfer(FramedConnection& connection, OwnContent& own) {
  counters_.counts = map_.counts();
  counters_.total_bytes = std::uint64_t(map_.pass().page_count) * file_.page_size();
  counters_.done_bytes = 0;
  for (std::uint32_t extent = 0; extent < map_.extents(); ++extent) {
    if (map_.done(extent)) counters_.done_bytes += std::uint64_t(own.pages(extent).count) * file_.page_size();
  }
  const Executor executor = co_await asio::this_coro::executor;
  const SeedTransfer::Parts parts{clock_, connection, map_, own, file_, digests_, counters_, options_.full, options_.rate, options_.cpu, options_.budget, options_.streams};
  SeedTransfer moved(executor, parts);
  struct Running {
    SeedTarget& target;
    ~Running() { target.transfer_ = nullptr; }
  } running{*this};
  transfer_ = &moved;
  Result<void> result = co_await moved.run();
  disk_doubtful_ = moved.sync_failed();
  counters_.rate = 0;
  co_return result;
}

void SeedTarget::change_streams(std::size_t least, std::size_t most) {
  options_.streams.least = least;
  options_.streams.most = most;
  if (transfer_ != nullptr) transfer_->change_streams(least, most);
}

bool SeedTarget::cut() { return transfer_ != nullptr && transfer_->cut(); }

Task<Result<transport::SeedEnd>> SeedTarget::finish(FramedConnection& connection) {
  const Message question = transport::SeedFinish{};
  const Result<transport::SeedEnd> end = co_await ask_once<transport::SeedEnd>(clock_, connection, question, "SeedEnd");
  if (!end.ok()) co_return end.error();
  if (end->until < map_.pass().from) {
    co_return Error{ErrorKind::protocol,
                    "seed: the source's end " + to_text(end->until) + " is before " + to_text(map_.pass().from), ""};
  }
  co_return end;
}

Task<Result<void>> release_seed(FramedConnection& connection) {
  const Message message = transport::SeedRelease{};
  co_return co_await connection.send(message);
}

}  // namespace ccr::seed
