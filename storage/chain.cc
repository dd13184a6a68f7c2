#include "storage/chain.h"

namespace ccr::storage {
namespace {

constexpr std::size_t shown_digits = 8;  // of a digest: enough to tell two apart in a message

std::string shown(const Digest128& digest) { return digest.text().substr(0, shown_digits); }

}  // namespace

Error broken_generation(ErrorKind kind, Generation generation, const std::string& message) {
  return {kind, "generation " + to_text(generation) + ": " + message, ""};
}

Result<void> check_follows(const ChainLink& before, const GenerationHeader& next) {
  if (next.generation != before.generation.next())
    return broken_generation(ErrorKind::gap, next.generation, "does not follow " + to_text(before.generation) + " (expected " +
                  to_text(before.generation.next()) + ")");
  if (!before.sealed) return broken_generation(ErrorKind::corrupt, next.generation, "follows " + to_text(before.generation) + ", which has no seal");
  if (next.previous != before.digest)
    return broken_generation(ErrorKind::diverged, next.generation, "chain digest " + shown(next.previous) + " does not follow " +
                  to_text(before.generation) + " (expected " + shown(before.digest) + ")");
  if (next.epoch < before.epoch)
    return broken_generation(ErrorKind::diverged, next.generation, "epoch " + std::to_string(next.epoch) + " falls below that of " +
                  to_text(before.generation) + " (" + std::to_string(before.epoch) + ")");
  return {};
}

Result<void> ChainCheck::add(const GenerationHeader& header, const ChainLink& link) {
  CCR_ASSERT(header.generation == link.generation);
  if (!links_.empty()) CCR_TRY(check_follows(links_.back(), header));
  if (signature_ && header.signature != *signature_)
    return broken_generation(ErrorKind::identity, header.generation, "signature " + header.signature.text() + " (expected " + signature_->text() + ")");
  if (page_size_ != 0 && header.page_size != page_size_)
    return broken_generation(ErrorKind::identity, header.generation, "page size " + std::to_string(header.page_size) + " (expected " +
                  std::to_string(page_size_) + ")");
  signature_ = header.signature;
  page_size_ = header.page_size;
  links_.push_back(link);
  return {};
}

}  // namespace ccr::storage
