#include "seed/extent_packing.h"

#include <utility>

namespace ccr::seed {
namespace {

using transport::ExtentPacked;
using transport::ExtentPages;
using transport::Message;

// A seed has several extents on the way, and a deep send buffer: a way is judged by what comes behind them.
constexpr transport::PlanTrial seed_trial{16 * MiB, 16 * MiB, 16 * MiB};

void pack_run(Message& message, transport::PagePacker& packer, int level, std::vector<Bytes>& kept) {
  const auto* pages = std::get_if<ExtentPages>(&message);
  if (pages == nullptr || pages->images.size() < ExtentPacking::run_bytes_min) return;
  const Result<ByteView> packed = packer.pack(pages->images, level);
  if (!packed.ok() || packed->size() > pages->images.size() / 16 * 15) return;
  ExtentPacked shrunk;
  shrunk.extent = pages->extent;
  shrunk.as_of = pages->as_of;
  shrunk.page_count = pages->page_count;
  shrunk.first = pages->first;
  shrunk.images_bytes = static_cast<std::uint32_t>(pages->images.size());
  shrunk.last = pages->last;
  kept.emplace_back(packed->begin(), packed->end());
  shrunk.packed = kept.back();
  message = shrunk;
}

}  // namespace

ExtentPacking::ExtentPacking(Clock& clock, CpuPool& cpu, transport::CompressionSetting setting)
    : clock_(clock), cpu_(cpu), plan_(setting, seed_trial) {}

Task<void> ExtentPacking::pack(std::vector<Message>& answer, Packed& packed) {
  if (answer.empty() || !std::holds_alternative<ExtentPages>(answer.front()) || !plan_.packs(true)) co_return;
  std::unique_ptr<transport::PagePacker> packer;
  if (free_.empty()) {
    packer = std::make_unique<transport::PagePacker>();
  } else {
    packer = std::move(free_.back());
    free_.pop_back();
  }
  const int level = plan_.level();
  const Instant began = clock_.now();
  packed.bytes.reserve(answer.size());
  auto work = [&answer, &packer, &packed, level] {
    for (Message& message : answer) pack_run(message, *packer, level, packed.bytes);
  };
  std::function<void()> on_pool(work);
  co_await cpu_.run(std::move(on_pool));
  packed.took = clock_.now() - began;
  free_.push_back(std::move(packer));
}

void ExtentPacking::sent(const Message& message, std::uint64_t wire_bytes, Duration took, Duration sending) {
  const auto* pages = std::get_if<ExtentPages>(&message);
  const auto* packed = std::get_if<ExtentPacked>(&message);
  transport::SentPiece piece;
  piece.packed = packed != nullptr || took > Duration::zero();  // also what was tried and did not shrink
  piece.raw_bytes = packed != nullptr ? packed->images_bytes : pages != nullptr ? pages->images.size() : 0;
  if (piece.raw_bytes == 0) return;
  piece.wire_bytes = wire_bytes;
  piece.behind = true;
  piece.packing = took;
  piece.sending = sending;
  piece.at = clock_.now();
  plan_.sent(piece);
}

Result<ExtentPages> unpack_extent(const ExtentPacked& message, transport::PageUnpacker& unpacker) {
  const Result<ByteView> images = unpacker.unpack(message.packed, message.images_bytes);
  if (!images.ok()) return images.error();
  ExtentPages pages;
  pages.extent = message.extent;
  pages.as_of = message.as_of;
  pages.page_count = message.page_count;
  pages.first = message.first;
  pages.images = *images;
  pages.last = message.last;
  return pages;
}

}  // namespace ccr::seed
