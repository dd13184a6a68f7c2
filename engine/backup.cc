#include "engine/backup.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/passive_files.h"
#include "engine/status_parts.h"
#include "storage/file_replacement.h"
#include "storage/rate_turn.h"

namespace ccr::engine {

using nlohmann::json;

namespace {

constexpr const char* partial_suffix = ".partial";

std::string where(const BackupRequest& request) { return request.directory + "/" + request.name; }

}  // namespace

Backup::Backup(NodeContext& context, const DatabaseConfig& database, PassiveCopy& copy, BackupRequest request)
    : context_(context),
      database_(database),
      passive_(&copy),
      request_(std::move(request)),
      bucket_({request_.bytes_per_second_max, 0}),
      group_(context.executor) {}

Backup::Backup(NodeContext& context, const DatabaseConfig& database, ActiveCopy& copy, BackupRequest request)
    : context_(context),
      database_(database),
      active_(&copy),
      request_(std::move(request)),
      bucket_({request_.bytes_per_second_max, 0}),
      group_(context.executor) {}

Task<Result<void>> Backup::work(std::shared_ptr<Backup> backup) {
  struct Ended {
    Backup& backup;
    ~Ended() { backup.ended_ = true; }
  } ended{*backup};
  backup->group_.spawn(backup->run());
  co_return co_await backup->group_.join();
}

Task<Result<void>> Backup::run() {
  outcome_ = co_await make();
  co_return Result<void>();  // how it ended is for those who watch
}

Task<Result<void>> Backup::make() {
  const std::string path = where(request_), partial = path + partial_suffix;
  CCR_CO_TRY(co_await context_.disk.make_directories(request_.directory));
  const Result<std::vector<storage::DirectoryEntry>> entries = co_await context_.disk.list(request_.directory);
  if (!entries.ok()) co_return entries.error();
  const auto there = [&](const std::string& name) {
    return std::any_of(entries->begin(), entries->end(), [&](const storage::DirectoryEntry& entry) { return entry.name == name; });
  };
  if (there(request_.name)) co_return Error{ErrorKind::exists, path + " is there already", "name an empty directory, or move that file away"};
  if (there(request_.name + partial_suffix)) CCR_CO_TRY(co_await context_.disk.remove(partial));  // of one that a crash cut off
  Result<std::unique_ptr<storage::File>> out = co_await context_.disk.open(partial, storage::OpenMode::create_new);
  if (!out.ok()) co_return out.error();
  Result<void> made;
  if (active_ != nullptr) {
    made = co_await copy_active(**out);
  } else {
    made = co_await copy_passive(**out);
  }
  out->reset();
  if (made.ok()) made = co_await read_back(partial);
  if (made.ok()) co_return co_await name_it(partial);
  static_cast<void>(co_await context_.disk.remove(partial));  // the first error is the one to tell
  co_return made;
}

Task<Result<void>> Backup::check_room(std::uint64_t bytes) {
  const Result<storage::DiskSpace> space = co_await context_.disk.space(request_.directory);
  if (!space.ok()) co_return space.error();
  if (space->free_bytes >= bytes) co_return Result<void>();
  co_return Error{ErrorKind::no_space, request_.directory + " has " + std::to_string(space->free_bytes) + " bytes free, the backup needs " + std::to_string(bytes),
                  "make room, or name another directory"};
}

// While the pages stand still at a commit.
Task<Result<void>> Backup::copy_passive(storage::File& out) {
  const Result<PagesHeld> held = co_await passive_->hold_pages();
  if (!held.ok()) co_return held.error();
  const std::shared_ptr<PassiveFiles> files = passive_->files();
  const storage::PageDigests& digests = *files->digests;
  // A hold may end a batch before the end that max_required promises; the pages are then those of a commit all the same.
  if (state().replayed_commit == 0) co_return Error{ErrorKind::busy, subject_of(database_, context_.config.node) + " stands at no commit yet", "try again when ccr status shows its root"};
  root_ = digests.root();
  pages_ = digests.page_count();
  page_size_ = digests.page_size();
  position_ = state().min_required;
  commit_ = state().replayed_commit;
  CCR_CO_TRY(co_await check_room(std::uint64_t(pages_) * page_size_));
  AlignedBuffer extent(storage::extent_bytes, AlignedBuffer::Content::any);
  const std::uint32_t per_extent = storage::pages_per_extent(page_size_);
  for (std::uint64_t first = 1; first <= pages_; first += per_extent) {
    const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(per_extent, pages_ - first + 1));
    const ByteSpan images = extent.span().first(std::size_t(count) * page_size_);
    co_await storage::wait_for_rate(context_.clock, bucket_, images.size());
    CCR_CO_TRY(co_await files->pages->read(static_cast<PageNumber>(first), count, images));
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto page = static_cast<PageNumber>(first + i);
      if (page_digest(page, images.subspan(std::size_t(i) * page_size_, page_size_)) == digests.at(page)) continue;
      co_return Error{ErrorKind::corrupt, "page " + std::to_string(page) + " of " + passive_->page_file() + " is not what the log says",
                      "ccr verify " + subject_of(database_, context_.config.node) + " repairs it from another copy"};
    }
    CCR_CO_TRY(co_await out.write_at((first - 1) * page_size_, images));
    done_bytes_ += images.size();
  }
  co_return co_await out.sync();
}

// What the disk has, and not what was meant to be written.
Task<Result<void>> Backup::read_back(std::string path) {
  phase_ = "check";
  done_bytes_ = 0;
  Result<std::unique_ptr<storage::File>> file = co_await context_.disk.open(path, storage::OpenMode::read);
  if (!file.ok()) co_return file.error();
  std::vector<storage::FilePart> whole = {{0, std::uint64_t(pages_) * page_size_}};
  CCR_CO_TRY(co_await (*file)->forget(std::move(whole)));
  AlignedBuffer extent(storage::extent_bytes, AlignedBuffer::Content::any);
  const std::uint32_t per_extent = storage::pages_per_extent(page_size_);
  Digest64 root = 0;
  for (std::uint64_t first = 1; first <= pages_; first += per_extent) {
    const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(per_extent, pages_ - first + 1));
    const ByteSpan images = extent.span().first(std::size_t(count) * page_size_);
    co_await storage::wait_for_rate(context_.clock, bucket_, images.size());
    const Result<std::size_t> got = co_await (*file)->read_once_at((first - 1) * page_size_, images);
    if (!got.ok()) co_return got.error();
    if (*got != images.size()) co_return Error{ErrorKind::corrupt, path + " is shorter than what was written", "look at its disk"};
    for (std::uint32_t i = 0; i < count; ++i) root += page_digest(static_cast<PageNumber>(first + i), images.subspan(std::size_t(i) * page_size_, page_size_));
    done_bytes_ += images.size();
  }
  if (root == root_) co_return Result<void>();
  co_return Error{ErrorKind::corrupt, path + " has root " + to_hex(root, 16) + " when it is read back, expected " + to_hex(root_, 16), "look at its disk"};
}

Task<Result<void>> Backup::name_it(std::string partial) {
  const std::string path = where(request_);
  CCR_CO_TRY(co_await context_.disk.rename(partial, path));
  CCR_CO_TRY(co_await context_.disk.sync_directory(request_.directory));
  const storage::CopyState& state = this->state();
  const json about{{"schema", 1},           {"cluster", context_.config.cluster}, {"database", database_.name},     {"kind", name_of(database_.kind)},
                   {"node", context_.config.node}, {"signature", state.signature.text()}, {"epoch", state.epoch},       {"position", position_json(position_)},
                   {"commit", commit_},     {"pages", pages_},                    {"page_size", page_size_},        {"root", to_hex(root_, 16)},
                   {"taken_at", to_rfc3339(context_.clock.wall_now())}};
  const std::string text = about.dump(2) + "\n";
  const ByteView view = as_bytes(text);
  Bytes bytes(view.begin(), view.end());
  CCR_CO_TRY(co_await storage::replace_file(context_.disk, path + ".json", std::move(bytes)));
  const Event event{"backup_taken", subject_of(database_, context_.config.node),
                    {{"file", path}, {"position", to_text(position_)}, {"commit", std::to_string(commit_)}, {"bytes", std::to_string(std::uint64_t(pages_) * page_size_)}}};
  context_.trace.record(event);
  if (request_.copy_only) co_return Result<void>();
  const storage::BackupMark mark{position_, state.epoch, context_.clock.wall_now()};
  if (active_ != nullptr) active_->note_backup(mark);
  else passive_->note_backup(mark);
  co_return Result<void>();
}

json Backup::progress() const {
  return {{"phase", phase_}, {"done_bytes", done_bytes_}, {"total_bytes", std::uint64_t(pages_) * page_size_}, {"rate_limit", rate_limit_json(request_.bytes_per_second_max)}};
}

Result<json> Backup::result() const {
  CCR_ASSERT(ended_);
  if (!outcome_) return Error{ErrorKind::refused, "the backup was cancelled", "ccr backup begins a new one"};
  if (!outcome_->ok()) return outcome_->error();
  return json{{"schema", 1}, {"file", where(request_)}, {"position", position_json(position_)}, {"commit", commit_}, {"pages", pages_},
              {"bytes", std::uint64_t(pages_) * page_size_}, {"root", to_hex(root_, 16)}};
}

}  // namespace ccr::engine
