#include "engine/probe_file.h"

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "storage/identity_file.h"

namespace ccr::engine {

Task<Result<std::unique_ptr<ProbeFile>>> ProbeFile::open(storage::Disk& disk, std::string directory) {
  const Result<storage::DiskSpace> space = co_await disk.space(directory);
  if (!space.ok()) co_return space.error();
  if (space->free_bytes < free_bytes_min) {
    co_return Error{ErrorKind::no_space,
                    directory + " has " + std::to_string(space->free_bytes / MiB) + " MiB free, a measurement wants " +
                        std::to_string(free_bytes_min / MiB),
                    "make room, or measure another database"};
  }
  const std::string path = directory + "/probe.tmp";
  Result<std::unique_ptr<storage::File>> opened = co_await disk.open(path, storage::OpenMode::create);
  if (!opened.ok()) co_return opened.error();
  CCR_CO_TRY(co_await disk.remove(path));
  std::unique_ptr<ProbeFile> file(new ProbeFile(std::move(*opened)));
  const AlignedBuffer zeros(MiB);
  for (std::uint64_t at = 0; at < probe_bytes; at += zeros.size()) CCR_CO_TRY(co_await file->file_->write_at(at, zeros.view()));
  CCR_CO_TRY(co_await file->file_->sync());
  co_return std::move(file);
}

Task<Result<void>> ProbeFile::write_and_sync(ByteView block) {
  CCR_ASSERT(!block.empty() && block.size() <= probe_bytes);
  if (at_ + block.size() > probe_bytes) at_ = 0;
  const std::uint64_t at = at_;
  at_ += block.size();
  CCR_CO_TRY(co_await file_->write_at(at, block));
  co_return co_await file_->sync();
}

Task<Result<transport::MeasureEnd>> probe_disk(Clock& clock, ProbeFile& file, std::uint32_t block_bytes, Duration how_long) {
  AlignedBuffer block(block_bytes);
  Encoder encoder(block.span());
  Random content(block_bytes);
  while (encoder.written() + 8 <= block.size()) encoder.u64(content.next());
  transport::MeasureEnd end;
  LatencyHistogram latency;
  const Instant begun = clock.now();
  Instant now = begun;
  while (now - begun < how_long) {
    const Instant before = now;
    CCR_CO_TRY(co_await file.write_and_sync(block.view()));
    now = clock.now();
    latency.add(now - before);
    end.bytes += block.size();
    const auto slot = static_cast<std::size_t>((now - begun) / transport::measure_slot);
    if (slot >= transport::measure_slots_max) continue;
    if (end.slots.size() <= slot) end.slots.resize(slot + 1);
    end.slots[slot] += block.size();
  }
  end.nanoseconds = static_cast<std::uint64_t>((now - begun).count());
  end.latency = latency.summary();
  co_return end;
}

Task<std::string> probe_directory(NodeContext& context, std::string database) {
  const auto found = context.config.databases.find(database);
  if (found == context.config.databases.end()) co_return context.config.state_dir;
  if (!found->second.has_copy(context.config.node)) co_return context.config.state_dir;
  const std::string logs = found->second.logs;
  const Result<storage::Identity> ours = co_await storage::read_identity(context.disk, logs);
  co_return ours.ok() ? logs : context.config.state_dir;
}

}  // namespace ccr::engine
