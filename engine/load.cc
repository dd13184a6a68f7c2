#include "engine/load.h"

#include <algorithm>
#include <utility>

namespace ccr::engine {
namespace {

constexpr std::uint64_t load_magic = 0x64616f6c20726363;  // "ccr load"
constexpr std::size_t load_header_bytes = 24;
constexpr std::uint64_t burst_bytes = 1 * MiB;  // what a stall of the store may make up for

}  // namespace

Bytes load_image(PageNumber page, std::uint64_t sequence, std::uint32_t page_size) {
  Bytes image(page_size);
  Encoder encoder(image);
  encoder.u64(load_magic);
  encoder.u64(page);
  encoder.u64(sequence);
  Random content(sequence * 0x100000001b3ULL + page);
  // Half of it compresses, as database pages do.
  const std::size_t random_end = load_header_bytes + (page_size - load_header_bytes) / 16 * 8;
  for (std::size_t at = load_header_bytes; at + 8 <= random_end; at += 8) {
    const std::uint64_t word = content.next();
    std::memcpy(image.data() + at, &word, sizeof word);
  }
  return image;
}

bool is_load_image(PageNumber page, ByteView image) {
  Decoder decoder(image);
  if (decoder.u64() != load_magic || decoder.u64() != page) return false;
  const Bytes expected = load_image(page, decoder.u64(), static_cast<std::uint32_t>(image.size()));
  return std::equal(image.begin(), image.end(), expected.begin(), expected.end());
}

Load::Load(ActiveCopy& active, LoadOptions options, Durable durable)
    : active_(active), options_(options), durable_(std::move(durable)), rate_({options.bytes_per_second, burst_bytes}), started_(active.context().clock.now()), sequence_(active.tip().commit + 1) {}

std::vector<PageWrite> Load::transaction(Random& random) {
  const std::uint32_t page_size = active_.digests().page_size();
  const std::uint64_t sequence = sequence_++;
  const std::uint32_t pages = options_.transaction_pages > 0 ? options_.transaction_pages
                              : options_.pattern == LoadPattern::oltp ? static_cast<std::uint32_t>(random.between(1, 8)) : 1;
  std::vector<PageNumber> numbers(pages);
  const PageNumber end = active_.store()->page_count();
  const bool sequential = options_.pattern == LoadPattern::sequential;
  for (std::uint32_t i = 0; i < pages; ++i) numbers[i] = sequential ? end + 1 + i : static_cast<PageNumber>(random.between(1, options_.pages_max));
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::vector<PageWrite> writes;
  writes.reserve(numbers.size());
  for (const PageNumber page : numbers) writes.push_back({page, load_image(page, sequence, page_size)});
  return writes;
}

Task<Result<void>> Load::client(Random random) {
  Clock& clock = active_.context().clock;
  while (clock.now() < end_) {
    std::vector<PageWrite> writes = transaction(random);
    const std::uint64_t bytes = writes.size() * active_.digests().page_size();
    const Instant due = clock.now() + rate_.wait_for(clock.now(), bytes);
    // In turns, so that a load whose client left ends soon.
    while (clock.now() < std::min(due, end_)) {
      const Duration turn = std::min({storage::rate_turn_max, due - clock.now(), end_ - clock.now()});
      co_await clock.sleep(turn);
    }
    if (clock.now() >= end_) break;
    const Instant begun = clock.now();
    CCR_CO_TRY(co_await active_.store()->commit(std::move(writes)));
    report_.latency.add(clock.now() - begun);
    ++report_.commits;
    report_.bytes += bytes;
    if (durable_) co_await durable_(begun);
  }
  co_return Result<void>();
}

Task<Result<void>> Load::run() {
  Clock& clock = active_.context().clock;
  started_ = clock.now();
  end_ = started_ + duration_of(options_.seconds);
  rate_.wait_for(started_, burst_bytes);  // begins without a burst: a short run is held to its rate too
  TaskGroup clients(active_.context().executor);
  for (std::uint32_t i = 0; i < options_.clients; ++i) clients.spawn(client(active_.context().random.fork()));
  const Result<void> ended = co_await clients.join();
  report_.seconds = seconds();
  co_return ended;
}

double Load::seconds() const { return std::chrono::duration<double>(active_.context().clock.now() - started_).count(); }

}  // namespace ccr::engine
