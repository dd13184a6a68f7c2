// A seed of pages that belong to no database, for measuring: SeedProbe is its source, take_seed_probe() its target. All between them is
// what any seed has: serve_seed and SeedTarget, page file, digest table and map, their syncs, and the connection with its checks.
//
// The pages are random, so that nothing about them shrinks. Their files have no names (storage/scratch_disk.h): nothing is left of them
// however it ends. make() completes when they are durable. Failure: no_space where more than half of what is free would be taken.
// Lifetime: the context outlives both. Threads: the node's executor. Bounds: probe_bytes_max of a database.
#pragma once

#include <memory>
#include <string>

#include "base/signal.h"
#include "engine/node_context.h"
#include "seed/seed_pages.h"
#include "storage/page_file.h"
#include "storage/scratch_disk.h"
#include "transport/framed_connection.h"

namespace ccr::engine {

inline constexpr std::uint32_t seed_probe_page_size = 4 * KiB;

// no_space, or room for so many bytes of pages in this directory.
Task<Result<void>> check_probe_room(storage::Disk& disk, std::string directory, std::uint64_t bytes);

class SeedProbe final : public seed::SeedPages {
 public:
  static constexpr std::uint64_t probe_bytes_max = 8 * GiB;

  // `name`: of nobody else in this directory.
  static Task<Result<std::unique_ptr<SeedProbe>>> make(NodeContext& context, std::string directory, std::string name, std::uint64_t bytes);

  Task<Result<transport::SeedOffer>> open(std::string node, Position resume_from) override;
  Task<Result<transport::SeedEnd>> finish(std::string node) override;
  Task<Result<void>> release(std::string node) override;
  PageNumber page_count() const override { return digests_->page_count(); }
  std::uint32_t page_size() const override { return seed_probe_page_size; }
  Digest64 extent_digest(std::uint32_t extent) const override { return digests_->extent(extent); }
  Digest64 page_digest(PageNumber page) const override { return digests_->at(page); }
  Task<Result<seed::SeedRead>> read(PageNumber first, std::uint32_t count) override;
  Task<Result<seed::VerifyExtent>> verify(std::uint32_t extent) override;

  Task<void> wait_released();
  Digest64 root() const noexcept { return digests_->root(); }
  std::uint64_t bytes() const noexcept { return std::uint64_t(page_count()) * page_size(); }
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }

 private:
  SeedProbe(NodeContext& context, std::string prefix) : scratch_(context.disk, std::move(prefix)), changed_(context.executor) {}
  Task<Result<void>> fill(Random random, std::uint64_t bytes);

  storage::ScratchDisk scratch_;
  std::unique_ptr<storage::PageFile> file_;
  std::unique_ptr<storage::PageDigests> digests_;
  Signal changed_;
  bool released_ = false;
  std::uint64_t bytes_read_ = 0;
};

// The target's part, behind the ask: says that it is ready, is seeded, and completes with what is here now. The caller sends that, and
// bounds the time.
Task<Result<transport::MeasureEnd>> take_seed_probe(NodeContext& context, transport::FramedConnection& connection, std::string directory,
                                                    std::string name, std::uint64_t bytes);

}  // namespace ccr::engine
