#include "storage/log_handover.h"

#include <utility>

#include "storage/incoming_opening.h"

namespace ccr::storage {
namespace {

Task<Result<bool>> is_there(Disk& disk, std::string path) {
  const Result<std::unique_ptr<File>> file = co_await disk.open(path, OpenMode::read);
  if (file.ok()) co_return true;
  if (file.error().kind == ErrorKind::not_found) co_return false;
  co_return file.error();
}

// A rename from one of our directories into the other, durable in both.
Task<Result<void>> move_between(Disk& disk, std::string directory, std::string from, std::string to) {
  const std::string folder = path_in(directory, incoming_folder);
  CCR_CO_TRY(co_await disk.rename(from, to));
  CCR_CO_TRY(co_await disk.sync_directory(directory));
  co_return co_await disk.sync_directory(folder);
}

}  // namespace

Task<Result<void>> take_received_log(Disk& disk, LogDirectory directory, Position proven) {
  const std::string current = path_in(directory.path, current_name);
  const Result<bool> taken = co_await is_there(disk, current);
  if (!taken.ok()) co_return taken.error();
  if (*taken) co_return Result<void>();
  constexpr Generation nothing_received{1};
  std::string from;
  {
    Result<IncomingState> state = co_await open_incoming(disk, directory, nothing_received, proven);
    if (!state.ok()) co_return state.error().within("take the received log");
    if (!state->file) co_return Result<void>();  // LogStream makes the generation behind a seal itself
    from = incoming_path(directory.path, state->scan.generation());
  }
  co_return co_await move_between(disk, directory.path, from, current);
}

Task<Result<std::optional<Position>>> recover_written_log(Disk& disk, RecoveryOptions options) {
  const std::string current = path_in(options.directory.path, current_name);
  const Result<bool> there = co_await is_there(disk, current);
  if (!there.ok()) co_return there.error();
  if (!*there) co_return std::optional<Position>();
  const Result<RecoveredLog> log = co_await recover_log(disk, std::move(options));
  if (!log.ok()) co_return log.error().within("recover the log");
  co_return std::optional(log->end.end);
}

Task<Result<void>> give_written_log(Disk& disk, LogDirectory directory) {
  const std::string current = path_in(directory.path, current_name);
  CCR_CO_TRY(co_await remove_temporaries(disk, directory.path));
  std::string to;
  bool holds_blocks = false;
  {
    Result<std::unique_ptr<File>> file = co_await disk.open(current, OpenMode::read);
    if (!file.ok() && file.error().kind == ErrorKind::not_found) co_return Result<void>();
    if (!file.ok()) co_return file.error();
    const Result<GenerationHeader> header = co_await read_header(**file);
    if (!header.ok()) co_return header.error().within(current);
    to = incoming_path(directory.path, header->generation);
    AlignedBuffer block(block_bytes);
    const ByteSpan bytes = block.span();
    const Result<std::size_t> got = co_await (*file)->read_at(block_bytes, bytes);
    if (!got.ok()) co_return got.error();
    for (std::size_t i = 0; i < *got && !holds_blocks; ++i) holds_blocks = bytes[i] != std::byte{0};
  }
  if (!holds_blocks) {
    CCR_CO_TRY(co_await disk.remove(current));
    co_return co_await disk.sync_directory(directory.path);
  }
  CCR_CO_TRY(co_await disk.make_directories(path_in(directory.path, incoming_folder)));
  co_return co_await move_between(disk, directory.path, current, to);
}

}  // namespace ccr::storage
