#include "storage/state_file.h"

#include <algorithm>

#include "storage/file_replacement.h"

namespace ccr::storage {
namespace {

constexpr std::size_t slot_count = 2;

}  // namespace

struct StateFile::Found {
  CopyState state;
  Bytes bytes;
};

StateFile::StateFile(Disk& disk, std::string directory) : disk_(disk), directory_(std::move(directory)) {}

std::string StateFile::path_of(std::size_t slot) const { return directory_ + "/state." + std::to_string(slot); }

// not_found where there is none. A file that is too long comes back one byte too long: decode_state() refuses it.
Task<Result<Bytes>> StateFile::read_slot(std::size_t slot) {
  const std::string path = path_of(slot);
  Result<std::unique_ptr<File>> file = co_await disk_.open(path, OpenMode::read);
  if (!file.ok()) co_return file.error();
  Bytes bytes(state_bytes_max + 1);
  const Result<std::size_t> got = co_await (*file)->read_at(0, bytes);
  if (!got.ok()) co_return got.error().within(path);
  bytes.resize(*got);
  co_return bytes;
}

Task<Result<StateFile::Found>> StateFile::scan() {
  Found newest;
  std::size_t present = 0, valid = 0;
  std::string why;
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    Result<Bytes> bytes = co_await read_slot(slot);
    if (!bytes.ok() && bytes.error().kind == ErrorKind::not_found) continue;
    if (!bytes.ok()) co_return bytes.error();
    ++present;
    Result<std::pair<CopyState, std::uint64_t>> decoded = decode_state(*bytes);
    if (!decoded.ok()) {
      if (decoded.error().kind == ErrorKind::unsupported) co_return decoded.error().within(path_of(slot));
      why = decoded.error().message;
      continue;
    }
    roles_[slot] = NamedRole{decoded->first.epoch, decoded->first.active};
    if (valid > 0 && decoded->second <= sequence_) continue;
    ++valid;
    sequence_ = decoded->second;
    newest_ = slot;
    newest.state = std::move(decoded->first);
    newest.bytes = std::move(*bytes);
  }
  scanned_ = true;
  if (present == 0) co_return Error{ErrorKind::not_found, directory_ + ": no state file", ""};
  if (valid == 0) co_return Error{ErrorKind::corrupt, directory_ + ": no slot of the state file is valid: " + why, ""};
  co_return newest;
}

Task<Result<CopyState>> StateFile::load() {
  in_place_.fill(false);
  roles_.fill(std::nullopt);
  Result<Found> found = co_await scan();
  if (!found.ok()) co_return found.error();
  CCR_CO_TRY(co_await write_slot(newest_, found->bytes));
  CCR_CO_TRY(co_await into_both(found->state));
  co_return std::move(found->state);
}

// Goes over the older slot, so that the newest state known is untouched until the next one is durable.
Task<Result<void>> StateFile::save(const CopyState& state) {
  if (!scanned_) {  // a slot of an earlier life with a higher sequence would win over this state
    const Result<CopyState> before = co_await load();
    const bool replaceable =
        before.ok() || before.error().kind == ErrorKind::not_found || before.error().kind == ErrorKind::corrupt;
    if (!replaceable) co_return before.error();
  }
  CCR_CO_TRY(co_await write_next(state));
  co_return co_await into_both(state);
}

Task<Result<void>> StateFile::write_next(const CopyState& state) {
  const std::size_t slot = 1 - newest_;
  Bytes bytes = encode_state(state, sequence_ + 1);
  roles_[slot].reset();
  CCR_CO_TRY(co_await write_slot(slot, std::move(bytes)));
  roles_[slot] = NamedRole{state.epoch, state.active};
  ++sequence_;
  newest_ = slot;
  co_return Result<void>();
}

Task<Result<void>> StateFile::into_both(const CopyState& state) {
  if (roles_[0] && roles_[1] && *roles_[0] != *roles_[1]) CCR_CO_TRY(co_await write_next(state));
  co_return Result<void>();
}

// A slot that somebody removed beside us is made again. Until it ends well the slot counts as failed, also when the task is stopped in the middle: the next write takes a new inode.
Task<Result<void>> StateFile::write_slot(std::size_t slot, Bytes bytes) {
  CCR_ASSERT(bytes.size() <= state_bytes_max);
  bool written = false;
  if (std::exchange(in_place_[slot], false)) {
    const Result<void> in_place = co_await overwrite(slot, bytes);
    if (!in_place.ok() && in_place.error().kind != ErrorKind::not_found) co_return in_place;
    written = in_place.ok();
  }
  if (!written) {
    const std::string path = path_of(slot);
    CCR_CO_TRY(co_await replace_file(disk_, path, std::move(bytes)));
  }
  in_place_[slot] = true;
  co_return Result<void>();
}

Task<Result<void>> StateFile::overwrite(std::size_t slot, Bytes bytes) {
  const std::string path = path_of(slot);
  Result<std::unique_ptr<File>> file = co_await disk_.open(path, OpenMode::read_write);
  if (!file.ok()) co_return file.error();
  const Result<std::uint64_t> size = co_await (*file)->size();
  if (!size.ok()) co_return size.error();
  CCR_CO_TRY(co_await (*file)->write_at(0, bytes));
  if (*size > bytes.size()) CCR_CO_TRY(co_await (*file)->truncate(bytes.size()));
  co_return co_await (*file)->sync();
}

}  // namespace ccr::storage
