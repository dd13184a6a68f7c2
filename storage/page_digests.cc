#include "storage/page_digests.h"

#include <algorithm>
#include <array>
#include <utility>

#include "storage/file_replacement.h"
#include "storage/log_format.h"

namespace ccr::storage {
namespace {

constexpr std::uint64_t magic = 0x3154534547494443;  // "CDIGEST1"
constexpr std::uint32_t version = 1;
constexpr std::size_t table_block_bytes = 4096;
constexpr std::size_t header_bytes = table_block_bytes;
constexpr std::size_t checksum_at = 24;  // all of the header in one sector: it is the only part that a torn write must not spoil
constexpr std::size_t digests_per_block = table_block_bytes / 8;
constexpr std::size_t io_bytes_max = 1 * MiB;  // of one read or write, and of the buffer for it
constexpr std::size_t io_blocks_max = io_bytes_max / table_block_bytes;

constexpr std::size_t blocks_of(std::uint64_t pages) noexcept { return (pages + digests_per_block - 1) / digests_per_block; }
constexpr std::uint64_t offset_of(std::size_t block) noexcept { return header_bytes + std::uint64_t(block) * table_block_bytes; }
constexpr std::uint64_t file_bytes(PageNumber pages) noexcept { return offset_of(blocks_of(pages)); }

struct Header {
  std::uint32_t page_size = 0;
  PageNumber page_count = 0;
};

void encode_header(const Header& header, ByteSpan out) {
  CCR_ASSERT(out.size() == header_bytes);
  Encoder encoder(out);
  encoder.u64(magic);
  encoder.u32(version);
  encoder.u32(header.page_size);
  encoder.u64(header.page_count);
  CCR_ASSERT(encoder.written() == checksum_at);
  encoder.u64(digest64(out.first(checksum_at), magic));
  encoder.zeros(header_bytes - encoder.written());
}

Result<Header> decode_header(ByteView block, const std::string& path) {
  Decoder decoder(block);
  if (decoder.u64() != magic) return Error{ErrorKind::corrupt, path + ": no digest table", ""};
  const std::uint32_t found = decoder.u32();
  Header header;
  header.page_size = decoder.u32();
  const std::uint64_t pages = decoder.u64();
  const bool proven = decoder.u64() == digest64(block.first(checksum_at), magic);
  const ByteView rest = decoder.bytes(decoder.remaining());
  const bool zeros = std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == std::byte{0}; });
  if (!proven || !zeros) return Error{ErrorKind::corrupt, path + ": the header of the digest table fails its check", ""};
  if (found != version) {
    return Error{ErrorKind::unsupported,
                 path + ": digest table version " + std::to_string(found) + ", this build serves " + std::to_string(version), ""};
  }
  header.page_count = static_cast<PageNumber>(pages);
  if (header.page_count != pages)
    return Error{ErrorKind::corrupt, path + ": " + std::to_string(pages) + " pages are impossible", ""};
  return header;
}

}  // namespace

// Until it is called good, an attempt counts as failed: also when its task is stopped in the middle.
class PageDigests::FlushAttempt {
 public:
  explicit FlushAttempt(PageDigests& table) : table_(table) {
    CCR_ASSERT(!table_.flushing_);
    table_.flushing_ = true;
  }
  ~FlushAttempt() {
    table_.flushing_ = false;
    if (!good_) table_.in_place_ = false;
  }
  void good() noexcept { good_ = true; }

 private:
  PageDigests& table_;
  bool good_ = false;
};

PageDigests::PageDigests(Disk& disk, std::string path, std::uint32_t page_size)
    : disk_(disk), path_(std::move(path)), page_size_(page_size) {
  CCR_ASSERT(page_size_ > 0 && page_size_ <= page_size_max);
}

Digest64 PageDigests::of_zeros(PageNumber page) const {
  static constexpr std::array<std::byte, page_size_max> zeros{};
  return page_digest(page, ByteView(zeros).first(page_size_));
}

void PageDigests::mark_dirty(PageNumber page) { dirty_blocks_[(page - 1) / digests_per_block] = true; }

void PageDigests::resize(PageNumber count, const PageMap& known) {
  const PageNumber before = page_count();
  for (PageNumber page = before; page > count; --page) root_ -= digests_[page - 1];
  digests_.resize(count);
  dirty_blocks_.resize(blocks_of(count), true);
  for (std::uint64_t page = std::uint64_t(before) + 1; page <= count; ++page) {
    const PageNumber number = static_cast<PageNumber>(page);
    const Digest64* const digest = known.find(number);
    digests_[number - 1] = digest != nullptr ? *digest : of_zeros(number);
    root_ += digests_[number - 1];
    mark_dirty(number);
  }
  CCR_ASSERT(page_count() == count);
}

void PageDigests::set(PageNumber page, Digest64 digest) {
  CCR_ASSERT(page >= 1 && page <= page_count());
  root_ += digest - digests_[page - 1];
  digests_[page - 1] = digest;
  // Also when it is equal: what load() read may be in the page cache only, left by a process that died before its sync.
  mark_dirty(page);
}

Digest64 PageDigests::at(PageNumber page) const {
  CCR_ASSERT(page >= 1 && page <= page_count());
  return digests_[page - 1];
}

Digest64 PageDigests::extent(std::uint32_t extent) const {
  const std::uint64_t first = std::uint64_t(extent) * pages_per_extent(page_size_);
  const std::uint64_t end = std::min<std::uint64_t>(first + pages_per_extent(page_size_), digests_.size());
  Digest64 sum = 0;
  for (std::uint64_t i = first; i < end; ++i) sum += digests_[i];
  return sum;
}

Task<Result<void>> PageDigests::load() {
  CCR_ASSERT(!flushing_);
  in_place_ = false;
  proven_ = false;
  Result<std::unique_ptr<File>> file = co_await disk_.open(path_, OpenMode::read);
  if (!file.ok()) co_return file.error();
  const Result<std::uint64_t> size = co_await (*file)->size();
  if (!size.ok()) co_return size.error();
  if (*size < header_bytes) co_return Error{ErrorKind::corrupt, path_ + ": " + std::to_string(*size) + " bytes are too few", ""};
  // No longer than the file: a buffer of full length costs more than all else where the table is short.
  AlignedBuffer buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(io_bytes_max, (*size + header_bytes - 1) / header_bytes * header_bytes)),
      AlignedBuffer::Content::any);
  const ByteSpan block = buffer.span().first(header_bytes);
  const Result<std::size_t> got = co_await (*file)->read_at(0, block);
  if (!got.ok()) co_return got.error();
  const Result<Header> header = decode_header(block, path_);
  if (!header.ok()) co_return header.error();
  if (header->page_size != page_size_) {
    co_return Error{
        ErrorKind::corrupt,
        path_ + ": digests of pages of " + std::to_string(header->page_size) + " bytes, expected " + std::to_string(page_size_),
        ""};
  }
  const PageNumber count = header->page_count;
  if (*size < file_bytes(count)) {
    co_return Error{ErrorKind::corrupt,
                    path_ + ": " + std::to_string(*size) + " bytes, expected " + std::to_string(file_bytes(count)), ""};
  }
  std::vector<Digest64> digests;
  digests.reserve(count);
  while (digests.size() < count) {
    const std::size_t first_block = digests.size() / digests_per_block;
    const std::size_t bytes = std::min(io_blocks_max, blocks_of(count) - first_block) * table_block_bytes;
    const ByteSpan chunk = buffer.span().first(bytes);
    const Result<std::size_t> filled = co_await (*file)->read_at(offset_of(first_block), chunk);
    if (!filled.ok()) co_return filled.error();
    if (*filled != bytes) co_return Error{ErrorKind::corrupt, path_ + ": ends early", ""};
    Decoder decoder(chunk);
    while (decoder.remaining() > 0 && digests.size() < count) digests.push_back(decoder.u64());
  }
  digests_ = std::move(digests);
  root_ = 0;
  for (const Digest64 digest : digests_) root_ += digest;
  dirty_blocks_.assign(blocks_of(count), false);
  flushed_count_ = count;
  in_place_ = true;
  co_return Result<void>();
}

Task<Result<void>> PageDigests::flush() {
  FlushAttempt attempt(*this);
  if (in_place_) {
    CCR_CO_TRY(co_await update());
  } else {
    CCR_CO_TRY(co_await rewrite());
  }
  in_place_ = true;
  attempt.good();
  co_return Result<void>();
}

// 1. entries, 2. where the table grew: sync, so that no header ever counts entries that are not there, 3. header, 4. sync.
// A table that shrank gives its tail back last: a file that is too long does no harm. The first flush after a load() proves what
// that read: a process that died earlier may have renamed, written a header, and not synced.
Task<Result<void>> PageDigests::update() {
  const PageNumber count = page_count();
  const PageNumber count_in_file = flushed_count_;
  const bool entries_changed = std::find(dirty_blocks_.begin(), dirty_blocks_.end(), true) != dirty_blocks_.end();
  const bool header_changed = count != count_in_file || !proven_;
  if (!entries_changed && !header_changed) co_return Result<void>();
  Result<std::unique_ptr<File>> file = co_await disk_.open(path_, OpenMode::read_write);
  if (!file.ok()) co_return file.error();
  const std::string directory = directory_of(path_);
  if (!proven_) CCR_CO_TRY(co_await disk_.sync_directory(directory));
  CCR_CO_TRY(co_await write_blocks(**file, count));
  if (count > count_in_file) CCR_CO_TRY(co_await (*file)->sync());
  if (header_changed) CCR_CO_TRY(co_await write_header(**file, count));
  CCR_CO_TRY(co_await (*file)->sync());
  flushed_count_ = count;
  proven_ = true;
  if (blocks_of(count) < blocks_of(count_in_file)) CCR_CO_TRY(co_await (*file)->truncate(file_bytes(count)));
  co_return Result<void>();
}

Task<Result<void>> PageDigests::rewrite() {
  const PageNumber count = page_count();
  dirty_blocks_.assign(dirty_blocks_.size(), true);
  Result<std::unique_ptr<File>> file = co_await begin_replacement(disk_, path_);
  if (!file.ok()) co_return file.error();
  CCR_CO_TRY(co_await write_blocks(**file, count));
  CCR_CO_TRY(co_await write_header(**file, count));
  CCR_CO_TRY(co_await finish_replacement(disk_, **file, path_));
  flushed_count_ = count;
  proven_ = true;
  co_return Result<void>();
}

// The table may change while a write waits: a block's flag falls before its bytes are taken, so a later change raises it again.
Task<Result<void>> PageDigests::write_blocks(File& file, PageNumber count) {
  const std::size_t blocks = blocks_of(count);
  const auto dirty = [this](std::size_t block) { return block < dirty_blocks_.size() && dirty_blocks_[block]; };
  AlignedBuffer buffer(std::min(io_blocks_max, blocks) * table_block_bytes, AlignedBuffer::Content::any);
  for (std::size_t block = 0; block < blocks;) {
    std::size_t end = block;
    for (; end < blocks && end - block < io_blocks_max && dirty(end); ++end) dirty_blocks_[end] = false;
    if (end == block) {
      ++block;
      continue;
    }
    const ByteSpan chunk = buffer.span().first((end - block) * table_block_bytes);
    fill(block, chunk);
    CCR_CO_TRY(co_await file.write_at(offset_of(block), chunk));
    block = end;
  }
  co_return Result<void>();
}

void PageDigests::fill(std::size_t first_block, ByteSpan out) const {
  const std::uint64_t first = std::uint64_t(first_block) * digests_per_block;
  const std::uint64_t end = std::min<std::uint64_t>(first + out.size() / 8, digests_.size());
  Encoder encoder(out);
  for (std::uint64_t i = first; i < end; ++i) encoder.u64(digests_[i]);
  encoder.zeros(out.size() - encoder.written());
}

Task<Result<void>> PageDigests::write_header(File& file, PageNumber count) {
  AlignedBuffer block(header_bytes);
  const Header header{page_size_, count};
  encode_header(header, block.span());
  co_return co_await file.write_at(0, block.view());
}

void DigestOverlay::restart() {
  ahead_.clear();
  page_count_ = smallest_ = counted_ = table_.page_count();
  root_ = table_.root();
}

void DigestOverlay::give_back() {
  if (ahead_.empty()) ahead_ = PageMap();
}

Digest64 DigestOverlay::at(PageNumber page) const {
  CCR_ASSERT(page >= 1 && page <= page_count_);
  if (const Digest64* const found = ahead_.find(page)) return *found;
  return page <= smallest_ ? table_.at(page) : table_.of_zeros(page);
}

void DigestOverlay::resize(PageNumber count) {
  count_zeros(page_count_);
  for (PageNumber page = page_count_; page > count; --page) root_ -= at(page);
  if (count < page_count_) ahead_.erase_above(count);
  counted_ = std::min(counted_, count);
  page_count_ = count;
  smallest_ = std::min(smallest_, count);
}

// Into the root, of pages that grew and were not set.
void DigestOverlay::count_zeros(PageNumber through) {
  while (counted_ < through) root_ += table_.of_zeros(++counted_);
}

Digest64 DigestOverlay::root() {
  count_zeros(page_count_);
  return root_;
}

void DigestOverlay::set(PageNumber page, Digest64 digest) {
  CCR_ASSERT(page >= 1 && page <= page_count_);
  const bool grown_just_now = page == counted_ + 1;
  if (!grown_just_now) count_zeros(page);
  root_ += grown_just_now ? digest : digest - at(page);
  counted_ = std::max(counted_, page);
  *ahead_.insert(page).value = digest;
}

void DigestOverlay::settle() {
  table_.resize(smallest_);
  table_.resize(page_count_, ahead_);
  for (const auto& [page, digest] : ahead_.sorted()) table_.set(page, digest);
  CCR_ASSERT(table_.root() == root());
  restart();
}

}  // namespace ccr::storage
