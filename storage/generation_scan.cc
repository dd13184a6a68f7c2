#include "storage/generation_scan.h"

#include <utility>

#include "storage/chain.h"

namespace ccr::storage {
GenerationScan::GenerationScan(Expected expected) : expected_(std::move(expected)), digest_(std::in_place) {
  CCR_ASSERT(!expected_.before || expected_.generation == expected_.before->generation.next());
}

GenerationScan::GenerationScan(const GenerationHeader& header, Position from)
    : header_(header), records_(std::in_place, header, from), next_block_(records_->next_block()) {
  if (from.offset != Position::first_offset) return;
  std::array<std::byte, block_bytes> block;
  encode_generation_header(header, block);
  digest_.emplace();
  digest_->update(block);
}

const GenerationHeader& GenerationScan::header() const {
  CCR_ASSERT(header_.has_value());
  return *header_;
}

const Seal& GenerationScan::seal() const {
  CCR_ASSERT(seal_.has_value());
  return *seal_;
}

const RecordScan& GenerationScan::records() const {
  CCR_ASSERT(records_.has_value());
  return *records_;
}

ChainLink GenerationScan::link() const {
  CCR_ASSERT(header_ && digest_);
  return {header_->generation, digest_->digest(), bytes(), header_->epoch, sealed()};
}

GenerationScan::Expected GenerationScan::expected_next() const {
  CCR_ASSERT(sealed());
  Expected next;
  next.signature = header_->signature;
  next.generation = header_->generation.next();
  next.page_size = header_->page_size;
  if (digest_) next.before = link();
  next.records = records_;
  return next;
}

Result<void> GenerationScan::take(ByteView block, std::vector<RecordHeader>* begun) {
  CCR_ASSERT(block.size() == block_bytes && !sealed());
  if (!header_) CCR_TRY(take_header(block));
  else if (is_seal(block)) CCR_TRY(take_seal(block));
  else CCR_TRY(take_data(block, begun));
  if (digest_) digest_->update(block);
  ++next_block_;
  return {};
}

Result<void> GenerationScan::take_own(const Block& block, ByteView encoded) {
  CCR_ASSERT(encoded.size() == block_bytes && header_ && !sealed() && block.number == next_block_);
  CCR_TRY(feed(block, nullptr));
  if (digest_) digest_->update(encoded);
  ++next_block_;
  return {};
}

Result<void> GenerationScan::take_header(ByteView block) {
  Result<GenerationHeader> decoded = decode_generation_header(block);
  if (!decoded.ok()) return decoded.error();
  const GenerationHeader& header = *decoded;
  if (expected_.signature && header.signature != *expected_.signature)
    return broken_generation(ErrorKind::identity, header.generation, "signature " + header.signature.text() + " (expected " +
                  expected_.signature->text() + ")");
  if (expected_.generation.number != 0 && header.generation != expected_.generation)
    return broken_generation(ErrorKind::corrupt, header.generation, "stands in the place of " + to_text(expected_.generation));
  if (expected_.page_size != 0 && header.page_size != expected_.page_size)
    return broken_generation(ErrorKind::identity, header.generation, "page size " + std::to_string(header.page_size) + " (expected " +
                  std::to_string(expected_.page_size) + ")");
  if (expected_.before) CCR_TRY(check_follows(*expected_.before, header));
  std::optional<RecordScan> records = expected_.records;
  if (records) CCR_TRY(records->enter(header));
  else records.emplace(header);
  header_ = header;
  records_ = records;
  return {};
}

Result<void> GenerationScan::take_seal(ByteView block) {
  Result<Seal> decoded = decode_seal(header_->signature, header_->generation, next_block_, block);
  if (!decoded.ok()) return decoded.error();
  if (digest_ && decoded->content != digest_->digest())
    return broken_generation(ErrorKind::corrupt, header_->generation, "the seal's digest " + decoded->content.text() + " is not that of the content (" +
                  digest_->digest().text() + ")");
  // 0 is a seal whose writer did not know the root; a scan that began in the middle may know no record yet.
  const std::optional<RecordHeader>& last = records_->last_record();
  const CommitNumber expected = last ? last->number : 0;
  if (decoded->last_commit != 0 && decoded->last_commit != expected && (last || digest_))
    return broken_generation(ErrorKind::corrupt, header_->generation, "the seal names commit " + std::to_string(decoded->last_commit) + " (expected " +
                  std::to_string(expected) + ")");
  CCR_TRY(records_->pass_seal());
  seal_ = *decoded;
  return {};
}

Result<void> GenerationScan::take_data(ByteView block, std::vector<RecordHeader>* begun) {
  Result<Block> decoded = decode_block(header_->signature, header_->generation, next_block_, block);
  if (!decoded.ok()) return decoded.error();
  return feed(*decoded, begun);
}

Result<void> GenerationScan::feed(const Block& block, std::vector<RecordHeader>* begun) {
  const RecordScan before = *records_;
  const Result<void> fed = records_->feed(block, begun);
  if (!fed.ok()) records_ = before;
  if (!fed.ok()) return fed.error();
  block_ = block;
  return {};
}

}  // namespace ccr::storage
