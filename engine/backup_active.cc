// A backup of the active copy: its pages as they are found, and then the log of what was committed meanwhile.
#include <algorithm>

#include "base/undo.h"
#include "engine/active_seed.h"
#include "engine/backup.h"
#include "engine/status_parts.h"
#include "storage/rate_turn.h"

namespace ccr::engine {

Task<Result<void>> Backup::copy_active(storage::File& out) {
  co_await active_->wait_until_comparable();
  const Position from = active_->tip().durable;
  LogKeeper& log = active_->log_keeper();
  log.hold_for_backup(from);
  const Undo let_go([&log] { log.hold_for_backup(std::nullopt); });
  active_->hurry();  // a page store's file trails its log: what is read from now on holds everything before `from`
  while (active_->replayed() < from) co_await active_->replay_changed().wait();
  pages_ = active_->digests().page_count();
  page_size_ = active_->digests().page_size();
  CCR_CO_TRY(co_await check_room(std::uint64_t(pages_) * page_size_));
  CCR_CO_TRY(co_await copy_while_written(out));
  CCR_CO_TRY(co_await bring_log(out, from));
  CCR_CO_TRY(co_await out.truncate(std::uint64_t(pages_) * page_size_));
  co_return co_await out.sync();
}

Task<Result<void>> Backup::copy_while_written(storage::File& out) {
  ActiveSeed source(*active_, ActiveSeed::Part::joins);
  const std::uint32_t per_extent = storage::pages_per_extent(page_size_);
  for (std::uint64_t first = 1; first <= active_->digests().page_count(); first += per_extent) {
    co_await storage::wait_for_rate(context_.clock, bucket_, storage::extent_bytes);
    const Result<seed::SeedRead> read = co_await source.read(static_cast<PageNumber>(first), per_extent);
    if (!read.ok()) co_return read.error();
    pages_ = active_->digests().page_count();
    const ByteView images = read->images.view().first(std::size_t(read->count) * page_size_);
    if (!images.empty()) CCR_CO_TRY(co_await out.write_at((first - 1) * page_size_, images));
    done_bytes_ += images.size();
  }
  co_return Result<void>();
}

Task<Result<void>> Backup::bring_commit(storage::File& out, storage::LogReader& log, storage::RecordHeader header) {
  for (;;) {
    const Result<std::span<const storage::Page>> pages = co_await log.next_pages();
    if (!pages.ok()) co_return pages.error();
    if (pages->empty()) break;
    for (const storage::Page& page : *pages) CCR_CO_TRY(co_await out.write_at(std::uint64_t(page.number - 1) * page_size_, page.image));
  }
  pages_ = header.page_count;
  commit_ = header.number;
  co_return Result<void>();
}

// To the first place behind everything that was read whose root is known: a seal's, or the end of the log.
Task<Result<void>> Backup::bring_log(storage::File& out, Position from) {
  phase_ = "log";
  const Position read_until = active_->tip().durable;
  commit_ = active_->tip().commit;
  storage::LogReader log(context_.disk, active_->log_directory(), from);
  for (;;) {
    const ActiveCopy::Tip tip = active_->tip();
    if (log.position() == tip.durable && tip.root_known) {
      position_ = tip.durable;
      commit_ = tip.commit;
      pages_ = tip.page_count;
      root_ = tip.root;
      co_return Result<void>();
    }
    const Result<std::optional<storage::RecordHeader>> header = co_await log.next(tip.durable);
    if (!header.ok()) co_return header.error();
    if (!*header) {
      if (log.position() == tip.durable) co_await active_->wait_until_comparable();
      continue;
    }
    if ((*header)->kind == storage::RecordKind::base_marker) {
      co_return Error{ErrorKind::busy, subject_of(database_, context_.config.node) + " lost sight of its database while it was copied, and took it anew",
                      "ccr status shows why; begin the backup again"};
    }
    CCR_CO_TRY(co_await bring_commit(out, log, **header));
    for (const storage::SealFacts& seal : log.take_seals()) {
      if (log.position() < read_until || seal.seal.root == 0 || seal.seal.last_commit != commit_) continue;
      position_ = log.position();
      root_ = seal.seal.root;
      co_return Result<void>();
    }
  }
}

}  // namespace ccr::engine
