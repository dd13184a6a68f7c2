#include "engine/chain_points.h"

#include <algorithm>

#include "storage/generation_file.h"

namespace ccr::engine {
namespace {

// The digest of the first `bytes` bytes of a generation's file. Each generation is at most generation_bytes_max long.
Task<Result<Digest128>> digest_of_prefix(storage::File& file, std::string path, std::uint64_t bytes) {
  AlignedBuffer buffer(std::min<std::uint64_t>(bytes, 1 * MiB), AlignedBuffer::Content::any);
  StreamDigest digest;
  for (std::uint64_t at = 0; at < bytes;) {
    const ByteSpan part = buffer.span().first(std::min<std::uint64_t>(buffer.size(), bytes - at));
    const Result<std::size_t> got = co_await file.read_at(at, part);
    if (!got.ok()) co_return got.error();
    if (*got == 0) co_return Error{ErrorKind::gap, path + " ends at " + std::to_string(at) + ", expected " + std::to_string(bytes), ""};
    digest.update(part.first(*got));
    at += *got;
  }
  co_return digest.digest();
}

}  // namespace

Task<Result<std::vector<transport::ChainPoint>>> points_of(storage::Disk& disk, storage::LogDirectory log, const storage::IncomingLog& incoming) {
  std::vector<transport::ChainPoint> points;
  const storage::ChainLink open = incoming.open_prefix();
  if (open.bytes > 0) points.push_back({open.generation, open.bytes, open.digest});
  Result<std::vector<storage::GenerationFile>> files = co_await storage::list_generations(disk, log.path);
  if (!files.ok()) co_return files.error();
  int sealed = 0;
  for (auto file = files->rbegin(); file != files->rend() && sealed < sealed_points_max; ++file) {
    if (!file->sealed) continue;
    const Result<std::unique_ptr<storage::File>> opened = co_await disk.open(file->path, storage::OpenMode::read);
    if (!opened.ok()) co_return opened.error();
    const Result<Digest128> digest = co_await digest_of_prefix(**opened, file->path, file->bytes);
    if (!digest.ok()) co_return digest.error();
    points.push_back({file->generation, 0, *digest});
    ++sealed;
  }
  co_return points;
}

Task<Result<std::vector<std::optional<Digest128>>>> own_digests(storage::Disk& disk, storage::LogDirectory log, Position durable,
                                                                std::vector<transport::ChainPoint> points) {
  std::vector<std::optional<Digest128>> own;
  for (const transport::ChainPoint& point : points) {
    own.emplace_back();
    const Result<std::optional<storage::OpenedGeneration>> found = co_await storage::open_generation(disk, log, point.generation);
    if (!found.ok() && found.error().kind != ErrorKind::corrupt) co_return found.error();
    if (!found.ok() || !found->has_value()) continue;  // what is not even of the number that it says proves nothing
    const storage::OpenedGeneration& opened = **found;
    const bool whole = point.bytes == 0;
    const bool sealed = opened.path == storage::sealed_path(log.path, point.generation);
    if (whole && !sealed) continue;
    const Result<std::uint64_t> there = co_await opened.file->size();
    if (!there.ok()) co_return there.error();
    const std::uint64_t bytes = whole ? *there : point.bytes;
    // Of an open generation only the durable part may be compared: the rest may still be written differently after a crash.
    const bool durable_here = sealed ? bytes <= *there : Position{point.generation, bytes} <= durable;
    if (!durable_here) continue;
    Result<Digest128> digest = co_await digest_of_prefix(*opened.file, opened.path, bytes);
    if (!digest.ok()) co_return digest.error();
    own.back() = *digest;
  }
  co_return own;
}

std::optional<Generation> not_proven_from(const transport::Hello& hello, const transport::Welcome& welcome, Generation pass_from) {
  using transport::Verdict;
  constexpr Generation all{0};
  if (hello.chain.empty()) return std::nullopt;
  const Generation newest = hello.chain.front().generation;  // its digest stands for all before it
  const bool one_epoch = hello.epoch == welcome.epoch;  // else this node may have written it itself, and nobody else has it
  switch (welcome.verdict) {
    case Verdict::same:
    case Verdict::behind: return newest >= welcome.first ? std::nullopt : std::optional(one_epoch ? pass_from : all);
    case Verdict::forked:
    case Verdict::ahead: return welcome.fork;  // 0 where it is not known
    case Verdict::unknown: return newest >= welcome.first || !one_epoch ? all : pass_from;
    case Verdict::other_history:
    case Verdict::unseeded: break;
  }
  return all;
}

}  // namespace ccr::engine
