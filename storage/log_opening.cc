#include "storage/log_opening.h"

#include <algorithm>
#include <utility>

#include "storage/sealed_files.h"
#include "storage/spare_files.h"

namespace ccr::storage {
namespace {

// How the open generation's file was found.
struct CurrentFile {
  bool there = false;
  GenerationHeader header;
};

Task<Result<CurrentFile>> find_current(Disk& disk, std::string path) {
  CurrentFile found;
  Result<std::unique_ptr<File>> file = co_await disk.open(path, OpenMode::read);
  if (!file.ok() && file.error().kind == ErrorKind::not_found) co_return found;
  if (!file.ok()) co_return file.error();
  Result<GenerationHeader> header = co_await read_header(**file);
  if (!header.ok()) co_return header.error().within(path);
  found.there = true;
  found.header = *header;
  co_return found;
}

// Sealed files of a group that never counted: the first of its generations is still called current.log.
struct Leftovers {
  std::vector<GenerationFile> files;
  Position claimed;  // the furthest position that one of their blocks states durable
};

Task<Result<Leftovers>> find_leftovers(Disk& disk, LogDirectory directory, Generation current) {
  Result<std::vector<GenerationFile>> sealed = co_await numbered_files(disk, directory.path, true);
  if (!sealed.ok()) co_return sealed.error();
  Leftovers found;
  for (GenerationFile& file : *sealed) {
    if (file.generation > current) found.files.push_back(std::move(file));
  }
  if (found.files.size() > SealedFiles::files_max) {
    co_return Error{ErrorKind::corrupt, directory.path + ": " + current_name + " holds generation " + to_text(current) + ", but " +
                    std::to_string(found.files.size()) + " sealed generations lie behind it", "is " + std::string(current_name) + " an older file?"};
  }
  for (const GenerationFile& file : found.files) {
    GenerationScan::Expected expected;
    expected.signature = directory.signature;
    expected.generation = file.generation;
    Result<Assessment> assessed = co_await assess_open(disk, file.path, expected);
    const bool torn = !assessed.ok() && assessed.error().kind == ErrorKind::corrupt;
    if (torn) continue;  // not even its header was kept
    if (!assessed.ok()) co_return assessed.error();
    for (const BlockOutcome& block : assessed->blocks) found.claimed = std::max(found.claimed, block.durable);
  }
  co_return std::move(found);
}

// The last one first: whatever a crash leaves of them has no hole.
Task<Result<void>> remove_leftovers(Disk& disk, std::string directory, Leftovers leftovers) {
  for (std::size_t i = leftovers.files.size(); i > 0; --i) {
    CCR_CO_TRY(co_await disk.remove(leftovers.files[i - 1].path));
    CCR_CO_TRY(co_await disk.sync_directory(directory));
  }
  co_return Result<void>();
}

// A crash inside a rename may leave both names on one file: the sealed one stays, current.log is only its other name.
Task<Result<void>> drop_second_name(Disk& disk, std::string path, const GenerationScan& sealed) {
  GenerationScan::Expected expected;
  expected.generation = sealed.header().generation;
  Result<Assessment> found = co_await assess_open(disk, path, expected);
  if (!found.ok()) co_return found.error();
  if (!found->scan.sealed() || found->scan.link().digest != sealed.link().digest)
    co_return Error{ErrorKind::diverged, path + ": holds generation " + to_text(sealed.header().generation) + ", which is sealed with other bytes", ""};
  co_return co_await disk.remove(path);
}

LogEnd end_of(const GenerationScan& scan, std::uint64_t cut_bytes) {
  LogEnd end;
  end.signature = scan.header().signature;
  end.epoch = scan.header().epoch;
  end.page_size = scan.header().page_size;
  end.end = scan.position();
  end.last_record = scan.records().last_record();
  end.last_commit = end.last_record ? end.last_record->number : 0;
  end.page_count = end.last_record ? end.last_record->page_count : 0;
  end.cut_bytes = cut_bytes;
  return end;
}

}  // namespace

Task<Result<void>> remove_temporaries(Disk& disk, std::string directory) {
  const std::string paths[] = {path_in(directory, prepared_name), path_in(directory, next_name), path_in(directory, recovered_name)};
  for (const std::string& path : paths) CCR_CO_TRY(co_await remove_if_there(disk, path));
  co_return co_await remove_spares(disk, directory);
}

namespace {

// A log that ends with that generation ends before its seal where a record goes on behind it.
Result<void> expect_proven(const RecoveryOptions& options, const GenerationScan& sealed) {
  if (sealed.position() >= options.proven) return {};
  return Error{ErrorKind::gap, options.directory.path + ": the log ends at " + to_text(sealed.position()) + ", but " + to_text(options.proven) + " is proven durable",
               missing_generation_hint};
}

// The open generation behind a sealed one, where a crash came between the two renames of a roll.
Task<Result<RecoveredLog>> make_next(Disk& disk, const RecoveryOptions& options, const GenerationScan& sealed) {
  CCR_CO_TRY(expect_proven(options, sealed));
  CCR_CO_TRY(co_await remove_temporaries(disk, options.directory.path));
  const std::string path = path_in(options.directory.path, next_name);
  Result<std::unique_ptr<File>> file = co_await disk.open(path, OpenMode::create_new);
  if (!file.ok()) co_return file.error();
  CCR_CO_TRY(co_await (*file)->allocate(options.header.generation_bytes));
  const GenerationHeader header = header_behind(sealed, options.header);
  const GenerationScan::Expected expected = sealed.expected_next();
  Result<GenerationScan> scan = co_await place_current(disk, **file, options.directory.path, path, header, expected);
  if (!scan.ok()) co_return scan.error();
  const LogEnd end = end_of(*scan, 0);
  co_return RecoveredLog{std::move(*file), std::move(*scan), end};
}

Error refusal(const RecoveryVerdict& verdict, const std::string& path) {
  const bool gap = verdict.kind == RecoveryVerdict::Kind::gap;
  return {gap ? ErrorKind::gap : ErrorKind::corrupt, path + ": " + verdict.reason, "fetch the log from another copy"};
}

Task<Result<RecoveredLog>> recover_open(Disk& disk, const RecoveryOptions& options, const std::optional<GenerationScan>& last,
                                        const GenerationHeader& header) {
  const std::string path = path_in(options.directory.path, current_name);
  RewritePlan plan;
  plan.expected = expected_behind(options.directory, last);
  Result<Assessment> found = co_await assess_open(disk, path, plan.expected);
  if (!found.ok()) co_return found.error();
  Result<Leftovers> leftovers = co_await find_leftovers(disk, options.directory, header.generation);
  if (!leftovers.ok()) co_return leftovers.error();
  RecoveryFacts facts;
  facts.generation = header.generation;
  facts.blocks = std::move(found->blocks);
  facts.before = RecordScan(header).position();
  facts.claimed = leftovers->claimed;
  facts.proven = options.proven;
  const RecoveryVerdict verdict = decide_recovery(facts);
  if (verdict.kind == RecoveryVerdict::Kind::damage || verdict.kind == RecoveryVerdict::Kind::gap) co_return refusal(verdict, path);
  const bool sealed = verdict.kind == RecoveryVerdict::Kind::sealed;
  if (sealed) CCR_CO_TRY(expect_proven(options, found->scan));
  CCR_CO_TRY(co_await remove_leftovers(disk, options.directory.path, std::move(*leftovers)));
  CCR_CO_TRY(co_await remove_temporaries(disk, options.directory.path));
  plan.directory = options.directory.path;
  plan.from = path;
  plan.temporary = path_in(options.directory.path, recovered_name);
  plan.to = sealed ? sealed_path(options.directory.path, header.generation) : path;
  plan.blocks = 1 + verdict.keep_blocks + (sealed ? 1 : 0);
  plan.length = sealed ? std::uint64_t(plan.blocks) * block_bytes : header.generation_bytes;
  Result<Rewritten> rewritten = co_await rewrite_generation(disk, plan);
  if (!rewritten.ok()) co_return rewritten.error();
  if (sealed) {
    CCR_CO_TRY(co_await disk.remove(path));
    CCR_CO_TRY(co_await disk.sync_directory(options.directory.path));
    co_return co_await make_next(disk, options, rewritten->scan);
  }
  const LogEnd end = end_of(rewritten->scan, verdict.cut_blocks * block_bytes);
  co_return RecoveredLog{std::move(rewritten->file), std::move(rewritten->scan), end};
}

}  // namespace

GenerationHeader header_behind(const GenerationScan& sealed, HeaderOptions options) {
  CCR_ASSERT(sealed.sealed() && options.epoch >= sealed.header().epoch);
  GenerationHeader header;
  header.signature = sealed.header().signature;
  header.epoch = options.epoch;
  header.generation = sealed.header().generation.next();
  header.previous = sealed.link().digest;
  header.created = options.created;
  header.page_size = sealed.header().page_size;
  header.generation_bytes = options.generation_bytes;
  header.last_record = sealed.records().last_record();
  header.carried = sealed.records().carried();
  header.first_commit = (header.last_record ? header.last_record->number : 0) + 1 + (header.carried ? 1 : 0);
  return header;
}

Task<Result<GenerationScan>> write_header(File& file, GenerationHeader header, GenerationScan::Expected expected) {
  AlignedBuffer block(block_bytes);
  encode_generation_header(header, block.span());
  GenerationScan scan(expected);
  const Result<void> taken = scan.take(block.view());
  CCR_ASSERT(taken.ok());
  const ByteView bytes = block.view();
  CCR_CO_TRY(co_await file.write_at(0, bytes));
  co_return std::move(scan);
}

Task<Result<GenerationScan>> place_current(Disk& disk, File& file, std::string directory, std::string path, GenerationHeader header,
                                           GenerationScan::Expected expected) {
  Result<GenerationScan> scan = co_await write_header(file, header, std::move(expected));
  if (!scan.ok()) co_return scan.error();
  CCR_CO_TRY(co_await file.sync());
  const std::string current = path_in(directory, current_name);
  CCR_CO_TRY(co_await disk.rename(path, current));
  CCR_CO_TRY(co_await disk.sync_directory(directory));
  co_return std::move(scan);
}

Task<Result<RecoveredLog>> recover_log(Disk& disk, RecoveryOptions options) {
  const std::string path = path_in(options.directory.path, current_name);
  Result<CurrentFile> current = co_await find_current(disk, path);
  if (!current.ok()) co_return current.error();
  std::optional<Generation> up_to;
  if (current->there) up_to = current->header.generation;
  Result<SealedSurvey> survey = co_await survey_sealed(disk, options.directory, up_to);
  if (!survey.ok()) co_return survey.error();
  if (!current->there && !survey->last) co_return Error{ErrorKind::not_found, options.directory.path + " holds no generation", ""};
  const Epoch epoch = current->there ? current->header.epoch : survey->last->header().epoch;
  if (options.header.epoch < epoch)
    co_return Error{ErrorKind::refused, options.directory.path + ": epoch " + std::to_string(options.header.epoch) +
                    " is below the log's (" + std::to_string(epoch) + ")", ""};
  const bool second_name = current->there && survey->last && current->header.generation == survey->last->header().generation;
  if (second_name) {
    Result<Leftovers> leftovers = co_await find_leftovers(disk, options.directory, current->header.generation);
    if (!leftovers.ok()) co_return leftovers.error();
    const Position counted = std::max(leftovers->claimed, options.proven);
    if (counted > Position::start_of(current->header.generation.next()))
      co_return Error{ErrorKind::gap, path + ": holds generation " + to_text(current->header.generation) + ", but " + to_text(counted) +
                      " is proven durable", "fetch the log from another copy"};
    CCR_CO_TRY(expect_proven(options, *survey->last));
    CCR_CO_TRY(co_await drop_second_name(disk, path, *survey->last));
    CCR_CO_TRY(co_await remove_leftovers(disk, options.directory.path, std::move(*leftovers)));
    current->there = false;
  }
  if (!current->there) co_return co_await make_next(disk, options, *survey->last);
  co_return co_await recover_open(disk, options, survey->last, current->header);
}

}  // namespace ccr::storage
