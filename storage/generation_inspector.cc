#include <algorithm>
#include <utility>

#include "storage/chain.h"
#include "storage/generation_file.h"
#include "storage/log_opening.h"

namespace ccr::storage {
namespace {

std::string name_of_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

bool in_incoming(const std::string& path) {
  const std::string folder = path.substr(0, path.size() - std::min(path.size(), name_of_path(path).size() + 1));
  return name_of_path(folder) == incoming_folder;
}

// Behind the end of an open file: preallocated zeros, or what is left of a lower generation, and nothing else; behind a seal whose
// truncation a crash undid, too.
Task<Result<void>> expect_nothing(BlockCursor& cursor, ByteView first, const GenerationHeader& header, const Error& because) {
  ByteView block = first;
  while (!block.empty()) {
    if (!is_zero(block) && !is_left_over(header.signature, header.generation, cursor.number(), block)) co_return because;
    Result<ByteView> next = co_await cursor.next();
    if (!next.ok()) co_return next.error();
    block = *next;
  }
  co_return Result<void>();
}

// A generation that is truncated while it is read may have another one's bytes soon (spare_files.h).
Task<bool> is_gone(Disk& disk, std::string path) {
  const Result<std::unique_ptr<File>> again = co_await disk.open(path, OpenMode::read);
  co_return !again.ok() && again.error().kind == ErrorKind::not_found;
}

struct Inspection {
  GenerationScan scan;
  std::vector<RecordHeader> records;
};

Task<Result<Inspection>> inspect_file(File& file, GenerationScan::Expected expected, bool must_be_sealed) {
  Inspection found{GenerationScan(expected), {}};
  BlockCursor cursor(file);
  std::vector<RecordHeader> begun;
  while (true) {
    Result<ByteView> block = co_await cursor.next();
    if (!block.ok()) co_return block.error();
    const std::string place = "block " + std::to_string(found.scan.next_block());
    if (block->empty() && must_be_sealed && !found.scan.sealed())
      co_return Error{ErrorKind::corrupt, place + ": the file ends without a seal", ""};
    if (block->empty()) break;
    if (found.scan.sealed()) {
      const Error behind{ErrorKind::corrupt, place + ": bytes behind the seal", ""};
      if (must_be_sealed) co_return behind;
      CCR_CO_TRY(co_await expect_nothing(cursor, *block, found.scan.header(), behind));
      break;
    }
    begun.clear();
    const Result<void> taken = found.scan.take(*block, &begun);
    if (!taken.ok()) {
      if (must_be_sealed || !found.scan.begun()) co_return taken.error();
      CCR_CO_TRY(co_await expect_nothing(cursor, *block, found.scan.header(), taken.error()));
      break;
    }
    const std::size_t room = GenerationFacts::records_max - found.records.size();
    found.records.insert(found.records.end(), begun.begin(), begun.begin() + std::min(room, begun.size()));
  }
  if (!found.scan.begun()) co_return Error{ErrorKind::corrupt, "generation header: the file is empty", ""};
  co_return std::move(found);
}

GenerationFacts facts_of(Inspection inspection) {
  const GenerationScan& scan = inspection.scan;
  GenerationFacts facts;
  facts.header = scan.header();
  facts.link = scan.link();
  if (scan.sealed()) facts.seal = scan.seal();
  facts.blocks = scan.next_block() - 1 - (scan.sealed() ? 1 : 0);
  facts.records = std::move(inspection.records);
  facts.records_total = scan.records().records_begun();
  return facts;
}

}  // namespace

Task<Result<GenerationFacts>> inspect_generation(Disk& disk, std::string path, std::optional<Signature> signature) {
  const std::string context = "inspect " + path;
  Result<std::unique_ptr<File>> file = co_await disk.open(path, OpenMode::read);
  if (!file.ok()) co_return file.error().within(context);
  GenerationScan::Expected expected;
  expected.signature = signature;
  const std::optional<Generation> number = generation_of_name(name_of_path(path));
  if (number) expected.generation = *number;
  const bool must_be_sealed = number && !in_incoming(path);
  Result<Inspection> found = co_await inspect_file(**file, expected, must_be_sealed);
  if (!found.ok()) {
    const bool gone = co_await is_gone(disk, path);
    if (gone) co_return Error{ErrorKind::not_found, path + " was truncated meanwhile", ""};
    co_return found.error().within(context);
  }
  co_return facts_of(std::move(*found));
}

Task<Result<std::vector<GenerationFile>>> list_generations(Disk& disk, std::string directory) {
  Result<std::vector<GenerationFile>> files = co_await numbered_files(disk, directory, true);
  if (!files.ok()) co_return files.error();
  const std::string current = path_in(directory, current_name);
  Result<std::unique_ptr<File>> file = co_await disk.open(current, OpenMode::read);
  if (!file.ok() && file.error().kind != ErrorKind::not_found) co_return file.error();
  if (file.ok()) {
    Result<GenerationHeader> header = co_await read_header(**file);
    if (!header.ok()) co_return header.error().within(current);
    Result<std::uint64_t> size = co_await (*file)->size();
    if (!size.ok()) co_return size.error();
    // A group that is being synced has sealed generations behind this one.
    const auto behind = [&](const GenerationFile& each) { return each.generation > header->generation; };
    const auto place = std::find_if(files->begin(), files->end(), behind);
    files->insert(place, GenerationFile{header->generation, *size, false, current});
  }
  const std::string folder = path_in(directory, incoming_folder);
  Result<std::vector<GenerationFile>> incoming = co_await numbered_files(disk, folder, false);
  if (!incoming.ok()) co_return incoming.error();
  files->insert(files->end(), incoming->begin(), incoming->end());
  co_return files;
}

Task<Result<std::vector<ChainLink>>> verify_chain(Disk& disk, std::string directory) {
  Result<std::vector<GenerationFile>> files = co_await list_generations(disk, directory);
  if (!files.ok()) co_return files.error();
  ChainCheck chain(std::nullopt);
  std::optional<RecordScan> records;
  for (const GenerationFile& file : *files) {
    Result<std::unique_ptr<File>> opened = co_await disk.open(file.path, OpenMode::read);
    // Truncated meanwhile, and all before it: what is left begins behind it.
    if (!opened.ok() && opened.error().kind == ErrorKind::not_found && file.sealed) {
      chain = ChainCheck(std::nullopt);
      records.reset();
      continue;
    }
    if (!opened.ok()) co_return opened.error();
    GenerationScan::Expected expected;
    expected.generation = file.generation;
    Result<Inspection> found = co_await inspect_file(**opened, expected, file.sealed);
    if (!found.ok()) {
      const bool gone = co_await is_gone(disk, file.path);
      if (!gone || !file.sealed) co_return found.error().within("inspect " + file.path);
      chain = ChainCheck(std::nullopt);
      records.reset();
      continue;
    }
    const GenerationScan& scan = found->scan;
    const Result<void> added = chain.add(scan.header(), scan.link());
    if (!added.ok()) co_return added.error().within("inspect " + file.path);
    if (records) {
      const Result<void> entered = records->enter(scan.header());
      if (!entered.ok()) co_return entered.error().within("inspect " + file.path);
    }
    records = scan.records();
  }
  co_return chain.links();
}

}  // namespace ccr::storage
