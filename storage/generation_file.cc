#include "storage/generation_file.h"

#include <algorithm>
#include <utility>

#include "storage/spare_files.h"

namespace ccr::storage {
namespace {

constexpr int open_tries = 3;          // of the three names; each roll in between costs one

// A numbered file must hold its number; current.log may hold another one.
Task<Result<std::optional<OpenedGeneration>>> open_at(Disk& disk, const LogDirectory& directory, std::string path, bool numbered,
                                                      Generation generation) {
  Result<std::unique_ptr<File>> file = co_await disk.open(path, OpenMode::read);
  if (!file.ok() && file.error().kind == ErrorKind::not_found) co_return std::optional<OpenedGeneration>();
  if (!file.ok()) co_return file.error();
  Result<GenerationHeader> header = co_await read_header(**file);
  if (!header.ok()) co_return header.error().within(path);
  if (header->generation != generation && !numbered) co_return std::optional<OpenedGeneration>();
  if (header->generation != generation)
    co_return Error{ErrorKind::corrupt, path + ": holds generation " + to_text(header->generation), ""};
  if (header->signature != directory.signature)
    co_return Error{ErrorKind::identity, path + ": signature " + header->signature.text() + " (expected " + directory.signature.text() + ")", ""};
  OpenedGeneration opened;
  opened.file = std::move(*file);
  opened.header = *header;
  opened.path = path;
  co_return std::optional<OpenedGeneration>(std::move(opened));
}

}  // namespace

std::string path_in(const std::string& directory, std::string_view name) { return directory + "/" + std::string(name); }
std::string sealed_path(const std::string& directory, Generation generation) { return path_in(directory, sealed_name(generation)); }
std::string incoming_path(const std::string& directory, Generation generation) {
  return path_in(path_in(directory, incoming_folder), sealed_name(generation));
}

Task<Result<GenerationHeader>> read_header(File& file) {
  AlignedBuffer block(block_bytes);
  const ByteSpan into = block.span();
  Result<std::size_t> count = co_await file.read_at(0, into);
  if (!count.ok()) co_return count.error();
  if (*count != block_bytes) co_return Error{ErrorKind::corrupt, "generation header: the file has " + std::to_string(*count) + " bytes", ""};
  co_return decode_generation_header(block.view());
}

Task<Result<std::optional<OpenedGeneration>>> open_generation(Disk& disk, LogDirectory directory, Generation generation) {
  const std::string current = path_in(directory.path, current_name);
  const std::string paths[] = {sealed_path(directory.path, generation), current, incoming_path(directory.path, generation)};
  for (int attempt = 0; attempt < open_tries; ++attempt) {
    for (const std::string& path : paths) {
      Result<std::optional<OpenedGeneration>> opened = co_await open_at(disk, directory, path, path != current, generation);
      if (!opened.ok() || opened->has_value()) co_return std::move(opened);
    }
  }
  co_return std::optional<OpenedGeneration>();
}

Task<Result<ByteView>> BlockCursor::next() {
  if (at_ == filled_) {
    const ByteSpan into = buffer_.span();
    Result<std::size_t> count = co_await file_.read_at(offset_, into);
    if (!count.ok()) co_return count.error();
    const std::size_t rounded = (*count + block_bytes - 1) / block_bytes * block_bytes;
    std::fill(buffer_.data() + *count, buffer_.data() + rounded, std::byte{0});
    offset_ += rounded;
    filled_ = rounded;
    at_ = 0;
    if (rounded == 0) co_return ByteView();
  }
  const ByteView block = buffer_.view().subspan(at_, block_bytes);
  at_ += block_bytes;
  ++number_;
  co_return block;
}

namespace {

// Copies and verifies block by block, writing copy_bytes at a time.
Task<Result<void>> copy_blocks(File& from, File& to, std::uint32_t blocks, GenerationScan& scan) {
  BlockCursor cursor(from);
  AlignedBuffer batch(copy_bytes, AlignedBuffer::Content::any);
  std::size_t filled = 0;
  std::uint64_t offset = 0;
  for (std::uint32_t number = 0; number < blocks; ++number) {
    Result<ByteView> block = co_await cursor.next();
    if (!block.ok()) co_return block.error();
    if (block->empty()) co_return Error{ErrorKind::corrupt, "ends before block " + std::to_string(number), ""};
    std::memcpy(batch.data() + filled, block->data(), block_bytes);
    CCR_CO_TRY(scan.take(batch.view().subspan(filled, block_bytes)));
    filled += block_bytes;
    if (filled < batch.size() && number + 1 < blocks) continue;
    const ByteView bytes = batch.view().first(filled);
    CCR_CO_TRY(co_await to.write_at(offset, bytes));
    offset += filled;
    filled = 0;
  }
  co_return Result<void>();
}

}  // namespace

Task<Result<Rewritten>> rewrite_generation(Disk& disk, RewritePlan plan) {
  Result<std::unique_ptr<File>> from = co_await disk.open(plan.from, OpenMode::read);
  if (!from.ok()) co_return from.error();
  CCR_CO_TRY(co_await remove_if_there(disk, plan.temporary));
  Result<std::unique_ptr<File>> to = co_await disk.open(plan.temporary, OpenMode::create_new);
  if (!to.ok()) co_return to.error();
  Rewritten rewritten{std::move(*to), GenerationScan(plan.expected)};
  if (plan.length > std::uint64_t(plan.blocks) * block_bytes) CCR_CO_TRY(co_await rewritten.file->allocate(plan.length));
  const Result<void> copied = co_await copy_blocks(**from, *rewritten.file, plan.blocks, rewritten.scan);
  if (!copied.ok()) co_return copied.error().within(plan.from);
  CCR_CO_TRY(co_await rewritten.file->sync());
  CCR_CO_TRY(co_await disk.rename(plan.temporary, plan.to));
  CCR_CO_TRY(co_await disk.sync_directory(plan.directory));
  co_return std::move(rewritten);
}

Task<Result<void>> remove_if_there(Disk& disk, std::string path) {
  const Result<void> removed = co_await disk.remove(path);
  if (!removed.ok() && removed.error().kind != ErrorKind::not_found) co_return removed.error();
  co_return Result<void>();
}

Task<Result<std::vector<GenerationFile>>> numbered_files(Disk& disk, std::string directory, bool sealed) {
  Result<std::vector<DirectoryEntry>> entries = co_await disk.list(directory);
  std::vector<GenerationFile> files;
  if (!entries.ok() && entries.error().kind == ErrorKind::not_found) co_return files;
  if (!entries.ok()) co_return entries.error();
  for (const DirectoryEntry& entry : *entries) {
    const std::optional<Generation> generation = generation_of_name(entry.name);
    if (generation && !entry.directory) files.push_back({*generation, entry.facts.bytes, sealed, path_in(directory, entry.name)});
  }
  const auto rising = [](const GenerationFile& a, const GenerationFile& b) { return a.generation < b.generation; };
  std::sort(files.begin(), files.end(), rising);
  co_return files;
}

Task<Result<Generation>> truncate_generations(Disk& disk, std::string directory, Generation below, SpareFiles& spares, std::uint64_t length) {
  Result<std::vector<GenerationFile>> sealed = co_await numbered_files(disk, directory, true);
  if (!sealed.ok()) co_return sealed.error();
  if (sealed->empty()) co_return Generation{};
  std::size_t first = 0;
  for (; first + 1 < sealed->size() && (*sealed)[first].generation < below; ++first) {
    Result<std::optional<GenerationFile>> spare = co_await spares.keep_or_remove((*sealed)[first], length);
    if (!spare.ok()) co_return spare.error();
    // One by one: after a crash a later removal without an earlier one would be a hole.
    CCR_CO_TRY(co_await disk.sync_directory(directory));
    spares.settle(std::move(*spare));
  }
  co_return (*sealed)[first].generation;
}

}  // namespace ccr::storage
