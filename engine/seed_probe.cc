#include "engine/seed_probe.h"

#include <algorithm>
#include <utility>

#include "base/task_group.h"
#include "engine/measure_stream.h"
#include "seed/seed_target.h"

namespace ccr::engine {
namespace {

constexpr Position probe_position = Position::start_of({1});

// A probe has no engine around it whose log would have to go along.
class NoLog final : public seed::SeedObserver {
 public:
  Task<Result<void>> pass_opened(const transport::SeedOffer&) override { co_return Result<void>(); }
  Task<Result<void>> pass_resumed(const transport::SeedOffer&) override { co_return Result<void>(); }
};

Task<Result<void>> run_target(seed::SeedTarget& target, transport::FramedConnection& connection, Result<void>& ended, TaskGroup& group) {
  const Result<seed::SeedOutcome> outcome = co_await target.run(connection);
  ended = outcome.ok() ? Result<void>() : Result<void>(outcome.error());
  group.stop();
  co_return Result<void>();
}

Task<Result<void>> count_slots(Clock& clock, const seed::SeedTarget& target, std::vector<std::uint64_t>& slots) {
  std::uint64_t before = 0;
  while (slots.size() < transport::measure_slots_max) {
    co_await clock.sleep(transport::measure_slot);
    const std::uint64_t done = target.counters().done_bytes;
    slots.push_back(done - before);
    before = done;
  }
  co_return Result<void>();
}

// The source has stopped serving the seed when it says so: what is sent behind that is not taken for an ask of it.
Task<Result<void>> wait_for_source(transport::FramedConnection& connection) {
  Result<transport::Message> message = co_await connection.receive();
  if (!message.ok()) co_return message.error();
  if (!std::holds_alternative<transport::MeasureEnd>(*message)) co_return unexpected(connection, *message);
  co_return Result<void>();
}

}  // namespace

Task<Result<void>> check_probe_room(storage::Disk& disk, std::string directory, std::uint64_t bytes) {
  const Result<storage::DiskSpace> space = co_await disk.space(directory);
  if (!space.ok()) co_return space.error();
  if (bytes <= space->free_bytes / 2) co_return Result<void>();
  co_return Error{ErrorKind::no_space,
                  directory + " has " + std::to_string(space->free_bytes / MiB) + " MiB free, and a measurement takes at most half of them, not " +
                      std::to_string(bytes / MiB),
                  "measure with less: --bytes"};
}

Task<Result<std::unique_ptr<SeedProbe>>> SeedProbe::make(NodeContext& context, std::string directory, std::string name, std::uint64_t bytes) {
  CCR_ASSERT(bytes > 0 && bytes <= probe_bytes_max && bytes % storage::extent_bytes == 0);
  CCR_CO_TRY(co_await check_probe_room(context.disk, directory, bytes));
  std::unique_ptr<SeedProbe> probe(new SeedProbe(context, directory + "/" + name));
  Result<std::unique_ptr<storage::PageFile>> file = co_await storage::PageFile::open(probe->scratch_, directory + "/pages", seed_probe_page_size);
  if (!file.ok()) co_return file.error();
  probe->file_ = std::move(*file);
  probe->digests_ = std::make_unique<storage::PageDigests>(probe->scratch_, directory + "/digests", seed_probe_page_size);
  CCR_CO_TRY(co_await probe->fill(context.random.fork(), bytes));
  co_return std::move(probe);
}

Task<Result<void>> SeedProbe::fill(Random random, std::uint64_t bytes) {
  const PageNumber pages = static_cast<PageNumber>(bytes / seed_probe_page_size);
  digests_->resize(pages);
  AlignedBuffer images(storage::extent_bytes);
  const std::uint32_t per_extent = storage::pages_per_extent(seed_probe_page_size);
  for (PageNumber first = 1; first <= pages; first += per_extent) {
    Encoder encoder(images.span());
    while (encoder.written() + 8 <= images.size()) encoder.u64(random.next());
    for (std::uint32_t i = 0; i < per_extent; ++i) {
      const ByteView image = images.view().subspan(std::size_t(i) * seed_probe_page_size, seed_probe_page_size);
      digests_->set(first + i, ccr::page_digest(first + i, image));
    }
    CCR_CO_TRY(co_await file_->write(first, images.view()));
  }
  co_return co_await file_->sync();
}

Task<Result<transport::SeedOffer>> SeedProbe::open(std::string, Position) {
  transport::SeedOffer offer;
  offer.from = probe_position;
  offer.from_commit = 1;
  offer.page_count = page_count();
  offer.page_size = page_size();
  co_return offer;
}

Task<Result<transport::SeedEnd>> SeedProbe::finish(std::string) {
  transport::SeedEnd end;
  end.until = probe_position;
  end.commit = 1;
  co_return end;
}

Task<Result<void>> SeedProbe::release(std::string) {
  released_ = true;
  changed_.notify();
  co_return Result<void>();
}

Task<void> SeedProbe::wait_released() {
  while (!released_) co_await changed_.wait();
}

// Proven before it leaves, as pages of a database are.
Task<Result<seed::SeedRead>> SeedProbe::read(PageNumber first, std::uint32_t count) {
  seed::SeedRead read;
  read.first = first;
  read.page_count = page_count();
  read.count = first > read.page_count ? 0 : std::min(count, read.page_count - first + 1);
  read.as_of = probe_position;
  read.images = AlignedBuffer(std::size_t(read.count) * page_size());
  if (read.count == 0) co_return std::move(read);
  CCR_CO_TRY(co_await file_->read(first, read.count, read.images.span()));
  for (std::uint32_t i = 0; i < read.count; ++i) {
    const ByteView image = read.images.view().subspan(std::size_t(i) * page_size(), page_size());
    if (digests_->at(first + i) != ccr::page_digest(first + i, image))
      co_return Error{ErrorKind::corrupt, "page " + std::to_string(first + i) + " of the measurement is not what was written", "look at the disk"};
  }
  bytes_read_ += read.images.size();
  co_return std::move(read);
}

Task<Result<seed::VerifyExtent>> SeedProbe::verify(std::uint32_t) {
  co_return Error{ErrorKind::unsupported, "pages of a measurement are not verified", ""};
}

Task<Result<transport::MeasureEnd>> take_seed_probe(NodeContext& context, transport::FramedConnection& connection, std::string directory,
                                                    std::string name, std::uint64_t bytes) {
  CCR_CO_TRY(co_await check_probe_room(context.disk, directory, bytes));
  storage::ScratchDisk scratch(context.disk, directory + "/" + name);
  Result<std::unique_ptr<storage::PageFile>> file = co_await storage::PageFile::open(scratch, directory + "/pages", seed_probe_page_size);
  if (!file.ok()) co_return file.error();
  storage::PageDigests digests(scratch, directory + "/digests", seed_probe_page_size);
  NoLog observer;
  seed::SeedOptions options;
  options.cpu = &context.cpu;
  options.budget = &context.seed_extents;
  seed::SeedTarget target(context.clock, scratch, directory, **file, digests, observer, options);
  transport::Message ready(transport::MeasureEnd{});
  CCR_CO_TRY(co_await connection.send(std::move(ready)));
  const Instant begun = context.clock.now();
  transport::MeasureEnd end;
  Result<void> ended;
  TaskGroup group(context.executor);
  group.spawn(run_target(target, connection, ended, group));
  group.spawn(count_slots(context.clock, target, end.slots));
  CCR_CO_TRY(co_await group.join());
  CCR_CO_TRY(ended);
  end.nanoseconds = static_cast<std::uint64_t>((context.clock.now() - begun).count());
  end.bytes = target.counters().done_bytes;
  end.root = digests.root();
  CCR_CO_TRY(co_await seed::release_seed(connection));
  CCR_CO_TRY(co_await wait_for_source(connection));
  co_return std::move(end);
}

}  // namespace ccr::engine
