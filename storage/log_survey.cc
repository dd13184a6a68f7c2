#include "storage/log_opening.h"

#include <utility>

namespace ccr::storage {
namespace {

// The index from which on files are read whole.
std::size_t whole_from(const std::vector<GenerationFile>& files) {
  std::uint64_t bytes = 0;
  std::size_t index = files.size();
  while (index > 0 && (bytes == 0 || bytes + files[index - 1].bytes <= survey_bytes_max)) bytes += files[--index].bytes;
  return index;
}

// The newest row without a hole. Truncation that a power cut interrupted may leave older files in front of a hole; whoever needs what is
// missing there meets ErrorKind::gap, and verify_chain names it.
void keep_newest_row(std::vector<GenerationFile>& files) {
  std::size_t first = files.size();
  while (first > 1 && files[first - 2].generation.next() == files[first - 1].generation) --first;
  if (first > 1) files.erase(files.begin(), files.begin() + static_cast<std::ptrdiff_t>(first - 1));
}

// Of an older generation: the header alone.
Task<Result<GenerationHeader>> header_of(Disk& disk, LogDirectory directory, GenerationFile file, Epoch epoch_min) {
  Result<std::unique_ptr<File>> opened = co_await disk.open(file.path, OpenMode::read);
  if (!opened.ok()) co_return opened.error();
  Result<GenerationHeader> header = co_await read_header(**opened);
  if (!header.ok()) co_return header.error().within(file.path);
  if (header->generation != file.generation)
    co_return Error{ErrorKind::corrupt, file.path + ": holds generation " + to_text(header->generation), ""};
  if (header->signature != directory.signature)
    co_return Error{ErrorKind::identity, file.path + ": signature " + header->signature.text() + " (expected " + directory.signature.text() + ")", ""};
  if (header->epoch < epoch_min)
    co_return Error{ErrorKind::diverged, file.path + ": epoch " + std::to_string(header->epoch) + " falls below " + std::to_string(epoch_min), ""};
  co_return header;
}

}  // namespace

GenerationScan::Expected expected_behind(const LogDirectory& directory, const std::optional<GenerationScan>& last) {
  if (last) return last->expected_next();
  GenerationScan::Expected expected;
  expected.signature = directory.signature;
  expected.page_size = directory.page_size;
  return expected;
}

Task<Result<GenerationScan>> scan_sealed(Disk& disk, std::string path, GenerationScan::Expected expected) {
  Result<std::unique_ptr<File>> file = co_await disk.open(path, OpenMode::read);
  if (!file.ok()) co_return file.error();
  Result<std::uint64_t> size = co_await (*file)->size();
  if (!size.ok()) co_return size.error();
  GenerationScan scan(expected);
  BlockCursor cursor(**file);
  while (!scan.sealed()) {
    Result<ByteView> block = co_await cursor.next();
    if (!block.ok()) co_return block.error();
    if (block->empty())
      co_return Error{ErrorKind::corrupt, path + ": ends at block " + std::to_string(scan.next_block()) + " without a seal", ""};
    const Result<void> taken = scan.take(*block);
    if (!taken.ok()) co_return taken.error().within(path);
  }
  if (*size != scan.bytes())
    co_return Error{ErrorKind::corrupt, path + ": " + std::to_string(*size) + " bytes (the seal ends at " + std::to_string(scan.bytes()) + ")", ""};
  co_return std::move(scan);
}

Task<Result<SealedSurvey>> survey_sealed(Disk& disk, LogDirectory directory, std::optional<Generation> up_to) {
  Result<std::vector<GenerationFile>> files = co_await numbered_files(disk, directory.path, true);
  if (!files.ok()) co_return files.error();
  SealedSurvey survey;
  survey.files = std::move(*files);
  if (up_to) std::erase_if(survey.files, [&](const GenerationFile& file) { return file.generation > *up_to; });
  keep_newest_row(survey.files);
  const std::size_t whole = whole_from(survey.files);
  Epoch epoch = 0;
  for (std::size_t i = 0; i < whole; ++i) {
    Result<GenerationHeader> header = co_await header_of(disk, directory, survey.files[i], epoch);
    if (!header.ok()) co_return header.error();
    epoch = header->epoch;
  }
  for (std::size_t i = whole; i < survey.files.size(); ++i) {
    GenerationScan::Expected expected = expected_behind(directory, survey.last);
    expected.generation = survey.files[i].generation;
    Result<GenerationScan> scan = co_await scan_sealed(disk, survey.files[i].path, expected);
    if (!scan.ok()) co_return scan.error();
    if (scan->header().epoch < epoch)
      co_return Error{ErrorKind::diverged, survey.files[i].path + ": epoch " + std::to_string(scan->header().epoch) + " falls below " +
                      std::to_string(epoch), ""};
    survey.last = std::move(*scan);
  }
  co_return std::move(survey);
}

Task<Result<Assessment>> assess_open(Disk& disk, std::string path, GenerationScan::Expected expected) {
  Result<std::unique_ptr<File>> file = co_await disk.open(path, OpenMode::read);
  if (!file.ok()) co_return file.error();
  Assessment found{GenerationScan(expected), {}};
  BlockCursor cursor(**file);
  bool prefix = true;
  while (!found.scan.sealed()) {
    Result<ByteView> block = co_await cursor.next();
    if (!block.ok()) co_return block.error();
    if (block->empty()) break;
    const Result<void> taken = prefix ? found.scan.take(*block) : Result<void>(Error{});
    if (cursor.number() == 0) {
      if (!taken.ok()) co_return taken.error().within(path);
      continue;
    }
    BlockOutcome outcome;
    if (taken.ok()) {
      outcome.kind = found.scan.sealed() ? BlockOutcome::Kind::seal : BlockOutcome::Kind::valid;
      outcome.ends_record = !found.scan.records().pending();
      outcome.durable = found.scan.sealed() ? Position{} : found.scan.block().durable;
    } else if (!is_zero(*block) && !is_left_over(found.scan.header().signature, found.scan.header().generation, cursor.number(), *block)) {
      const GenerationHeader& header = found.scan.header();
      Result<Block> alone = decode_block(header.signature, header.generation, cursor.number(), *block);
      outcome.kind = alone.ok() && !prefix ? BlockOutcome::Kind::valid : BlockOutcome::Kind::bad;
      if (alone.ok()) outcome.durable = alone->durable;
    }
    prefix = taken.ok();
    found.blocks.push_back(outcome);
  }
  if (!found.scan.begun()) co_return Error{ErrorKind::corrupt, path + ": the file is empty", ""};
  co_return std::move(found);
}

}  // namespace ccr::storage
