// ProbeFile is what a measurement writes to: a file of zeros without a name, so that nothing is left however the measurement ends.
//
// open() completes when the zeros are durable: as in the log, whose files are written before they are needed, a sync of what is
// written over them has no metadata to write. write_and_sync() writes behind what was written before, from the start again at the
// end. Failure: no_space where the disk would be left with little. Lifetime: the disk outlives it. Bounds: probe_bytes on the disk.
#pragma once

#include <memory>
#include <string>

#include "engine/node_context.h"
#include "transport/messages.h"

namespace ccr::engine {

class ProbeFile {
 public:
  static constexpr std::uint64_t probe_bytes = 32 * MiB;
  static constexpr std::uint64_t free_bytes_min = 8 * probe_bytes;

  static Task<Result<std::unique_ptr<ProbeFile>>> open(storage::Disk& disk, std::string directory);
  Task<Result<void>> write_and_sync(ByteView block);

 private:
  explicit ProbeFile(std::unique_ptr<storage::File> file) : file_(std::move(file)) {}

  std::unique_ptr<storage::File> file_;
  std::uint64_t at_ = 0;
};

// What one disk does in a stretch of time with blocks of one size, each written and synced before the next. Completes after the
// block that ends beyond `how_long`.
Task<Result<transport::MeasureEnd>> probe_disk(Clock& clock, ProbeFile& file, std::uint32_t block_bytes, Duration how_long);

// Where to measure the disk of a database's log on this node: its log directory; the state directory where there is none of ours
// (yet), or no database is named.
Task<std::string> probe_directory(NodeContext& context, std::string database);

}  // namespace ccr::engine
