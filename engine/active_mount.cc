// How an active copy mounts: directories, log recovery, redo, and the source opened where the log ends.
#include <algorithm>

#include "engine/active_copy.h"
#include "engine/digest_scan.h"
#include "engine/retention.h"
#include "storage/growth_check.h"
#include "storage/log_cut.h"
#include "storage/log_handover.h"

namespace ccr::engine {

using storage::SourceStanding;

Task<Result<void>> ActiveCopy::mount() {
  Result<bool> known = co_await open_directories(context_, database_, paths_, keeper_);
  if (!known.ok()) co_return known.error();
  const bool had_state = *known;
  if (sqlite()) {
    CCR_CO_TRY(co_await mount_sqlite(had_state));
  } else {
    CCR_CO_TRY(co_await mount_pages(had_state));
  }
  CCR_CO_TRY(co_await log_keeper_.open(paths_.log_directory, *log_));
  CCR_CO_TRY(co_await fill_reserve());
  publish_tip();
  checkpoint_at_ = tip_.durable;
  checkpoint_time_ = context_.clock.now();
  co_return co_await keeper_.save();
}

// Where the disk is full, log that nobody holds makes room first.
Task<Result<void>> ActiveCopy::fill_reserve() {
  const Result<void> filled = co_await log_->fill_reserve();
  if (filled.ok() || filled.error().kind != ErrorKind::no_space) co_return filled;
  CCR_CO_TRY(co_await log_keeper_.look(*log_));
  CCR_CO_TRY(co_await log_->give_back());
  co_return co_await log_->fill_reserve();
}

// A new history: its directories are marked and its signature is durable before the first byte of log is written, so that a crash
// anywhere in between is told from a lost mount.
Task<Result<void>> ActiveCopy::open_log(bool known, std::uint32_t page_size) {
  storage::CopyState& state = keeper_.state();
  storage::LogOptions options;
  options.directory = paths_.log_directory;
  options.page_size = page_size;
  options.generation_bytes = database_.generation_bytes;
  if (!known) {
    state = storage::CopyState{};
    Encoder signature(state.signature.bytes);
    signature.u64(context_.random.next());
    signature.u64(context_.random.next());
    state.epoch = 1;
    state.active = context_.config.node;
    state.page_size = page_size;
    state.min_required = state.max_required = Position::start_of({1});
    CCR_CO_TRY(co_await mark_directories(context_, database_, paths_, state.signature));
    CCR_CO_TRY(co_await keeper_.save());
  }
  options.epoch = state.epoch;
  const storage::LogDirectory directory{paths_.log_directory, state.signature, page_size};
  if (known && state.cut.known()) CCR_CO_TRY(co_await cut_log(directory));
  const Position durable = lived_.proven(state);
  if (known) CCR_CO_TRY(co_await storage::take_received_log(context_.disk, directory, durable));  // of a copy that was a passive one
  Result<std::vector<storage::GenerationFile>> files = co_await storage::list_generations(context_.disk, paths_.log_directory);
  if (!files.ok()) co_return files.error();
  if (files->empty() && !durable.known()) {
    Result<std::unique_ptr<storage::LogStream>> made = co_await storage::LogStream::create(context_.disk, context_.clock, options, state.signature);
    if (!made.ok()) co_return made.error();
    log_ = std::move(*made);
  } else {
    Position proven = durable;
    for (const storage::Pin& pin : state.pins) proven = std::max(proven, pin.from);
    Result<std::unique_ptr<storage::LogStream>> opened =
        co_await storage::LogStream::open(context_.disk, context_.clock, options, state.signature, proven);
    if (!opened.ok()) co_return opened.error();
    log_ = std::move(*opened);
  }
  digests_ = std::make_unique<storage::PageDigests>(context_.disk, paths_.digests, page_size);
  const Result<void> loaded = co_await digests_->load();
  // A table that is missing or damaged is built anew from the pages; nothing else is lost with it.
  digests_whole_ = loaded.ok() || !known || log_->durable_commit() == 0;
  if (!loaded.ok() && loaded.error().kind != ErrorKind::not_found && loaded.error().kind != ErrorKind::corrupt) co_return loaded.error();
  overlay_ = std::make_unique<storage::DigestOverlay>(*digests_);
  co_return Result<void>();
}

// What this copy received behind the commit as of which it was activated is nobody's log any more. It is told before it is moved: a crash in
// between tells what is left of it once more.
Task<Result<void>> ActiveCopy::cut_log(storage::LogDirectory directory) {
  storage::CopyState& state = keeper_.state();
  const Position cut = state.cut;
  if (state.min_required > cut)
    co_return Error{ErrorKind::corrupt, "the pages hold log to " + to_text(state.min_required) + ", and are to end at " + to_text(cut), "activate another copy, or seed this one"};
  const Result<storage::BehindCut> behind = co_await storage::look_behind_cut(context_.disk, directory, cut);
  if (!behind.ok()) co_return behind.error().within("cut the received log");
  if (behind->first.number != 0) {
    const Event event{"generations_set_aside", subject_of(database_, context_.config.node),
                      {{"from", to_text(behind->first)}, {"to", to_text(behind->last)}, {"commits", std::to_string(behind->commits)},
                       {"cause", "activated as of " + to_text(cut) + ", which ends the log"}}};
    context_.trace.record(event);
  }
  const storage::BehindCut aside = *behind;
  const Result<Position> end = co_await storage::cut_received_log(context_.disk, directory, cut, aside);
  if (!end.ok()) co_return end.error().within("cut the received log");
  if (state.min_required == cut) state.min_required = *end;  // the same content; a block that ends early is full at its place
  state.min_required = std::min(state.min_required, *end);
  state.max_required = std::max(state.min_required, std::min(state.max_required, *end));
  state.durable = *end;
  cut_backup_mark(state, cut);
  state.cut = {};
  co_return co_await keeper_.save();
}

Task<Result<void>> ActiveCopy::redo(storage::ReplayTarget& target) {
  ReplayObserver& observer = *this;
  replayer_ = std::make_unique<Replayer>(context_.executor, context_.disk, context_.clock, log_directory(), target, keeper_, observer);
  const Position end = log_->durable();
  redo_end_ = end;
  CCR_CO_TRY(co_await replayer_->replay_to(end));
  redo_end_ = {};
  if (replayer_->position() != end) {
    co_return Error{ErrorKind::corrupt,
                    "redo of " + paths_.log_directory + " ends at " + to_text(replayer_->position()) + ", expected " + to_text(end), ""};
  }
  if (replayer_->base_marker_met()) digests_whole_ = false;
  keeper_.state().max_required = std::max(keeper_.state().max_required, end);
  co_return Result<void>();
}

Task<Result<void>> ActiveCopy::mount_pages(bool known) {
  CCR_CO_TRY(co_await open_log(known, known ? keeper_.state().page_size : database_.page_size));
  const std::uint32_t page_size = keeper_.state().page_size;
  const bool holds_pages = known && keeper_.state().replayed_commit > 0;
  Result<std::unique_ptr<storage::PageFile>> file = co_await storage::PageFile::open(
      context_.disk, paths_.page_file, page_size, storage::PageFile::TornTail::cut,
      holds_pages ? storage::PageFile::Missing::refuse : storage::PageFile::Missing::make);
  if (!file.ok() && file.error().kind != ErrorKind::not_found) co_return file.error();
  if (file.ok()) page_file_ = std::move(*file);
  if (holds_pages && (!page_file_ || page_file_->page_count() == 0)) {
    co_return Error{ErrorKind::identity, "the page file " + paths_.page_file + " is missing or empty: an empty mount?",
                    "put it there; nothing is served without it"};
  }
  CCR_CO_TRY(co_await redo_pages());
  target_ = std::make_unique<storage::PageFileTarget>(*page_file_, *digests_, storage::PageFileTarget::Digests::leave);
  ReplayObserver& observer = *this;
  replayer_ = std::make_unique<Replayer>(context_.executor, context_.disk, context_.clock, log_directory(), *target_, keeper_, observer);
  overlay_->restart();
  auto store = std::make_unique<PageStore>(context_.executor, context_.clock, page_size, digests_->page_count());
  store_ = store.get();
  source_ = std::move(store);
  co_return Result<void>();
}

// Of the open page file.
Task<Result<void>> ActiveCopy::redo_pages() {
  storage::PageFileTarget redo_target(*page_file_, *digests_, storage::PageFileTarget::Digests::set);
  if (digests_whole_) {
    const Position from = keeper_.state().min_required;
    const char* hint = "put the file back whole, such as from a suspended copy; nothing is served without it";
    CCR_CO_TRY(co_await storage::check_growth(context_.disk, log_directory(), from, log_->durable(), *page_file_, *digests_, hint));
  }
  CCR_CO_TRY(co_await redo(redo_target));
  if (!digests_whole_) CCR_CO_TRY(co_await scan_digests(*page_file_, *digests_));
  digests_whole_ = true;
  co_return co_await digests_->flush();
}

// Of a copy that was a passive one: what it received is replayed into its file, which then becomes the programs'. False: it is there already.
Task<Result<bool>> ActiveCopy::bring_database() {
  const Result<std::string> from = co_await application_->file_to_bring();
  if (!from.ok()) co_return from.error();
  if (from->empty()) co_return false;
  Result<std::unique_ptr<storage::PageFile>> file = co_await storage::PageFile::open(
      context_.disk, *from, keeper_.state().page_size, storage::PageFile::TornTail::cut, storage::PageFile::Missing::refuse);
  if (!file.ok()) co_return file.error();
  page_file_ = std::move(*file);
  CCR_CO_TRY(co_await redo_pages());
  replayer_.reset();
  page_file_.reset();
  CCR_CO_TRY(co_await application_->bring(*from));
  co_return true;
}

Task<Result<void>> ActiveCopy::mount_sqlite(bool known) {
  std::optional<storage::SourceCursor> cursor;
  if (known) {
    CCR_CO_TRY(co_await open_log(true, keeper_.state().page_size));
    const Result<bool> brought = co_await bring_database();
    if (!brought.ok()) co_return brought.error();
    storage::DigestTarget target(*digests_);
    if (!*brought) CCR_CO_TRY(co_await redo(target));
    replayer_.reset();
    overlay_->restart();
    // A cursor of another node's file says nothing of this one.
    if (!*brought && log_->recovered().last_record) cursor = log_->recovered().last_record->cursor;
  }
  source_ = factory_(context_, database_, cursor);
  if (known) {
    // Whatever the source finds first, the log that is there can be shipped meanwhile.
    co_return Result<void>();
  }
  for (;;) {
    Result<storage::SourceItem> item = co_await source_->next();
    if (!item.ok()) co_return item.error();
    const SourceStanding* standing = std::get_if<SourceStanding>(&*item);
    CCR_ASSERT(standing != nullptr);  // before `lost` was answered nothing else is delivered
    if (standing->kind == SourceStanding::Kind::refused) {
      standing_.enter(State::dismounted, standing->cause, standing->hint);
      continue;
    }
    CCR_CO_TRY(co_await open_log(false, source_->page_size()));
    const SourceStanding first = *standing;
    co_return co_await take_standing(first);
  }
}

Task<Result<void>> ActiveCopy::take_standing(SourceStanding standing) {
  CCR_CO_TRY(co_await sync_group());
  switch (standing.kind) {
    case SourceStanding::Kind::refused:
      standing_.enter(State::dismounted, standing.cause, standing.hint);
      break;
    case SourceStanding::Kind::serving:
      if (!digests_whole_) {
        begin_compare(Comparing::scanning, standing.reason);
      } else {
        enter_mounted();
      }
      break;
    case SourceStanding::Kind::lost:
      if (source_->page_size() != keeper_.state().page_size) {
        co_return Error{ErrorKind::unsupported,
                        "the page size of " + database_.path + " changed from " + std::to_string(keeper_.state().page_size) + " to " +
                            std::to_string(source_->page_size()),
                        "a log has one page size: move " + paths_.log_directory + " and " + paths_.state_directory + " away to begin a new history"};
      }
      begin_compare(Comparing::lost, standing.reason);
      break;
  }
  co_return Result<void>();
}

Task<Result<void>> ActiveCopy::take_parting(storage::SourceParted parted) {
  CCR_CO_TRY(co_await sync_group());
  application_->parted(std::move(parted.outcome));
  co_return Result<void>();
}

void ActiveCopy::commit_applied(Position, CommitNumber) {}
void ActiveCopy::seal_passed(const storage::SealFacts&, CommitNumber) {}

}  // namespace ccr::engine
