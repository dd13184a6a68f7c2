// The chain of generations: what must hold between one and the next (FAULTS invariant 4). Pure.
//
// Number + 1 (else gap), the same signature (else identity), the digest of the whole file before (else diverged), the same page size
// (else identity), an epoch that does not fall (else diverged).
#pragma once

#include <optional>
#include <vector>

#include "storage/log_reader.h"

namespace ccr::storage {

// An error of a generation; its message begins with the number.
Error broken_generation(ErrorKind kind, Generation generation, const std::string& message);

// May `next` follow `before`? The message begins with "generation <number>:".
Result<void> check_follows(const ChainLink& before, const GenerationHeader& next);

// Feeds on a directory's generations in rising order.
class ChainCheck {
 public:
  explicit ChainCheck(std::optional<Signature> signature) : signature_(signature) {}
  Result<void> add(const GenerationHeader& header, const ChainLink& link);
  const std::vector<ChainLink>& links() const noexcept { return links_; }

 private:
  std::optional<Signature> signature_;
  std::uint32_t page_size_ = 0;
  std::vector<ChainLink> links_;
};

}  // namespace ccr::storage
