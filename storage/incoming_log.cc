#include "storage/incoming_log.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/side_by_side.h"
#include "storage/incoming_opening.h"
#include "storage/quarantine.h"
#include "storage/sealed_files.h"
#include "storage/spare_files.h"

namespace ccr::storage {
namespace {

class IncomingWriter final : public IncomingLog {
 public:
  IncomingWriter(Disk& disk, LogDirectory directory, IncomingState state)
      : disk_(disk),
        directory_(std::move(directory)),
        folder_(path_in(directory_.path, incoming_folder)),
        spares_(disk_, directory_.path),
        scan_(state.scan) {
    adopt(std::move(state));
  }

  Task<Result<void>> accept(Generation generation, std::uint64_t offset, ByteView bytes) override;
  Task<Result<void>> sync() override;
  Position wanted() const override { return {scan_.generation(), scan_.bytes()}; }
  Position received() const override { return received_; }
  Position durable() const override { return durable_; }
  Position inspected() const override { return durable_; }
  ChainLink open_prefix() const override { return durable_prefix_; }
  bool failed() const override { return failed_.has_value(); }
  Generation first() const override { return first_; }
  Epoch epoch() const override { return epoch_; }
  Task<Result<void>> set_aside(Generation from) override;
  Task<Result<void>> restart_at(Generation start, std::optional<Generation> keep_from) override;
  Task<Result<void>> truncate_below(Generation below) override;
  Task<Result<void>> give_back() override { return spares_.clear(); }

 private:
  // Marks the log failed when a call that writes ends with an error or is unwound in the middle: what is on disk is then not known.
  class Call {
   public:
    explicit Call(IncomingWriter& log) : log_(log) {}
    ~Call() {
      if (!ended_) log_.failed_ = Error{ErrorKind::stopped, "a call on the incoming log was stopped in the middle", ""};
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    Result<void> end(Result<void> result) {
      ended_ = true;
      if (!result.ok()) log_.failed_ = result.error();
      return result;
    }

   private:
    IncomingWriter& log_;
    bool ended_ = false;
  };

  Result<GenerationScan> verified(Generation generation, std::uint64_t offset, ByteView bytes) const;
  Task<Result<void>> write(GenerationScan verified, std::uint64_t offset, ByteView bytes);
  Task<Result<void>> sync_files();
  Task<Result<void>> sync_all();
  Task<Result<void>> move_aside(Generation from);
  Task<Result<void>> restart(Generation start, std::optional<Generation> keep_from);
  Task<Result<void>> open_again(Generation start);
  void adopt(IncomingState state);
  void settle();

  Disk& disk_;
  LogDirectory directory_;
  std::string folder_;                 // incoming/ of it
  SpareFiles spares_;
  std::uint64_t generation_bytes_ = 0;  // of the newest header
  GenerationScan scan_;                // of the open generation
  std::unique_ptr<File> file_;         // of the open generation; none while its header is not here
  bool name_synced_ = true;            // file_'s entry in incoming/
  SealedFiles waiting_;                // proven by their seals
  Position received_, durable_;
  ChainLink durable_prefix_;
  Generation first_;
  Epoch epoch_ = 0;
  std::optional<Error> failed_;
};

void IncomingWriter::adopt(IncomingState state) {
  received_ = end_of_incoming(state.sealed, state.scan);
  scan_ = std::move(state.scan);
  file_ = std::move(state.file);
  name_synced_ = true;
  waiting_.clear();
  first_ = Generation{};
  if (!state.sealed.files.empty()) first_ = state.sealed.files.front().generation;
  else if (scan_.begun()) first_ = scan_.generation();
  epoch_ = scan_.begun() ? scan_.header().epoch : state.sealed.last ? state.sealed.last->header().epoch : 0;
  settle();
}

// Everything that was accepted is durable.
void IncomingWriter::settle() {
  durable_ = received_;
  durable_prefix_ = ChainLink{scan_.generation(), {}, 0, epoch_, false};
  if (scan_.begun()) durable_prefix_ = scan_.link();
}

// The scan behind `bytes`, or what is wrong with them; changes nothing.
Result<GenerationScan> IncomingWriter::verified(Generation generation, std::uint64_t offset, ByteView bytes) const {
  const Position here{generation, offset};
  if (here != wanted() || bytes.empty() || bytes.size() % block_bytes != 0)
    return Error{ErrorKind::protocol, "incoming log: " + std::to_string(bytes.size()) + " bytes at " + to_text(here) + " (expected whole blocks at " +
                 to_text(wanted()) + ")", ""};
  GenerationScan scan = scan_;
  for (std::size_t at = 0; at < bytes.size(); at += block_bytes) {
    if (scan.sealed()) return Error{ErrorKind::protocol, "incoming generation " + to_text(generation) + ": bytes behind the seal", ""};
    const Result<void> taken = scan.take(bytes.subspan(at, block_bytes));
    if (!taken.ok()) return taken.error().within("incoming log");
  }
  return scan;
}

Task<Result<void>> IncomingWriter::accept(Generation generation, std::uint64_t offset, ByteView bytes) {
  if (failed_) co_return failed_->within("the incoming log failed before");
  Result<GenerationScan> scan = verified(generation, offset, bytes);
  if (!scan.ok()) co_return scan.error();
  Call call(*this);
  co_return call.end(co_await write(std::move(*scan), offset, bytes));
}

Task<Result<void>> IncomingWriter::write(GenerationScan verified_scan, std::uint64_t offset, ByteView bytes) {
  if (!file_) {
    CCR_ASSERT(offset == 0);
    const std::string path = incoming_path(directory_.path, verified_scan.generation());
    generation_bytes_ = verified_scan.header().generation_bytes;
    Result<std::unique_ptr<File>> file = co_await spares_.take_or_make(path, verified_scan.generation(), generation_bytes_);
    if (!file.ok()) co_return file.error();
    file_ = std::move(*file);
    name_synced_ = false;
  }
  CCR_CO_TRY(co_await file_->write_at(offset, bytes));
  scan_ = std::move(verified_scan);
  epoch_ = scan_.header().epoch;
  if (first_.number == 0) first_ = scan_.generation();
  received_ = std::max(scan_.position(), Position::start_of(first_));
  if (!scan_.sealed()) co_return Result<void>();
  if (scan_.bytes() < scan_.header().generation_bytes) CCR_CO_TRY(co_await file_->truncate(scan_.bytes()));
  waiting_.add(std::move(file_), scan_.generation());
  file_.reset();
  scan_ = GenerationScan(scan_.expected_next());
  if (waiting_.full()) co_return co_await sync_files();
  co_return Result<void>();
}

// Write, sync, rename, sync directory: in this order for each sealed file, each step for all of them side by side.
Task<Result<void>> IncomingWriter::sync_files() {
  const Executor executor = co_await asio::this_coro::executor;
  TaskGroup content(executor);
  waiting_.spawn_syncs(content);
  if (file_) content.spawn(file_->sync());
  CCR_CO_TRY(co_await content.join());
  for (const Generation generation : waiting_.generations()) {
    const std::string from = incoming_path(directory_.path, generation);
    const std::string to = sealed_path(directory_.path, generation);
    CCR_CO_TRY(co_await disk_.rename(from, to));
  }
  if (!waiting_.empty()) {
    CCR_CO_TRY(co_await side_by_side(disk_.sync_directory(directory_.path), disk_.sync_directory(folder_)));
  } else if (!name_synced_) {
    CCR_CO_TRY(co_await disk_.sync_directory(folder_));
  }
  waiting_.clear();
  name_synced_ = true;
  co_return Result<void>();
}

Task<Result<void>> IncomingWriter::sync() {
  if (failed_) co_return failed_->within("the incoming log failed before");
  if (durable_ == received_ && durable_prefix_.generation == scan_.generation() && durable_prefix_.bytes == scan_.bytes())
    co_return Result<void>();
  Call call(*this);
  co_return call.end(co_await sync_all());
}

Task<Result<void>> IncomingWriter::sync_all() {
  CCR_CO_TRY(co_await sync_files());
  settle();
  co_return Result<void>();
}

Task<Result<void>> IncomingWriter::move_aside(Generation from) {
  file_.reset();
  waiting_.clear();
  co_return co_await set_aside_generations(disk_, directory_.path, from);
}

// The log may go back, and numbers that lie in spare files come again.
Task<Result<void>> IncomingWriter::open_again(Generation start) {
  CCR_CO_TRY(co_await spares_.clear());
  const Position nothing_proven;
  Result<IncomingState> state = co_await open_incoming(disk_, directory_, start, nothing_proven);
  if (!state.ok()) co_return state.error();
  adopt(std::move(*state));
  co_return Result<void>();
}

// Where nothing of the log stays, older files in front of a hole (log_survey.cc) go too: else they would be the log that is there.
Task<Result<void>> IncomingWriter::set_aside(Generation from) {
  CCR_ASSERT(from.number != 0);
  CCR_CO_TRY(co_await sync());
  Call call(*this);
  const Generation first_moved = from <= first_ ? Generation{1} : from;
  const Result<void> moved = co_await move_aside(first_moved);
  if (!moved.ok()) co_return call.end(moved);
  co_return call.end(co_await open_again(from));
}

Task<Result<void>> IncomingWriter::restart(Generation start, std::optional<Generation> keep_from) {
  if (keep_from) {
    CCR_CO_TRY(co_await move_aside(*keep_from));
  } else {
    file_.reset();
    waiting_.clear();
  }
  Result<std::vector<GenerationFile>> old = co_await numbered_files(disk_, directory_.path, true);
  if (!old.ok()) co_return old.error();
  Result<std::vector<GenerationFile>> incoming = co_await numbered_files(disk_, folder_, false);
  if (!incoming.ok()) co_return incoming.error();
  old->insert(old->end(), incoming->begin(), incoming->end());
  for (const GenerationFile& file : *old) {
    CCR_CO_TRY(co_await disk_.remove(file.path));
    const std::string where = file.sealed ? directory_.path : folder_;
    CCR_CO_TRY(co_await disk_.sync_directory(where));
  }
  co_return co_await open_again(start);
}

Task<Result<void>> IncomingWriter::restart_at(Generation start, std::optional<Generation> keep_from) {
  CCR_ASSERT(start.number != 0);
  failed_.reset();  // nothing of what may be wrong is kept
  Call call(*this);
  co_return call.end(co_await restart(start, keep_from));
}

Task<Result<void>> IncomingWriter::truncate_below(Generation below) {
  if (failed_) co_return failed_->within("the incoming log failed before");
  const Result<Generation> first = co_await truncate_generations(disk_, directory_.path, below, spares_, generation_bytes_);
  if (!first.ok()) co_return first.error();
  if (first->number != 0) first_ = *first;
  co_return Result<void>();
}

}  // namespace

Task<Result<std::unique_ptr<IncomingLog>>> IncomingLog::open(Disk& disk, LogDirectory directory, Start start, Position proven) {
  CCR_ASSERT(start.generation.number != 0 && directory.signature.known());
  Result<IncomingState> state = co_await open_incoming(disk, directory, start.generation, proven);
  if (!state.ok()) co_return state.error().within("open incoming log");
  std::unique_ptr<IncomingLog> log = std::make_unique<IncomingWriter>(disk, std::move(directory), std::move(*state));
  co_return std::move(log);
}

}  // namespace ccr::storage
