// GenerationScan checks one generation block by block, from its header to its seal: the one place where a whole generation is
// believed. The passive side, recovery, the readers and the inspector all feed it.
//
// Pure. take() either accepts the block that follows or answers the first thing that is wrong with it and stays as it was, so the
// same block may come again. Copying it copies the state of the digest.
#pragma once

#include <optional>
#include <vector>

#include "storage/log_reader.h"
#include "storage/record_scan.h"

namespace ccr::storage {

class GenerationScan {
 public:
  // What is known before the header comes. Each field that is set must be met.
  struct Expected {
    std::optional<Signature> signature;
    Generation generation;           // 0: any
    std::uint32_t page_size = 0;     // 0: any
    std::optional<ChainLink> before;
    std::optional<RecordScan> records;  // behind the seal of the generation before
  };

  explicit GenerationScan(Expected expected);
  // Begins at the canonical start of a record. In the middle there is no digest: the seal's content and the chain cannot be proven.
  GenerationScan(const GenerationHeader& header, Position from);

  Result<void> take(ByteView block, std::vector<RecordHeader>* begun = nullptr);
  // The same of a data block that this process encoded just now: what must hold between blocks is checked, its own checksum is not.
  Result<void> take_own(const Block& block, ByteView encoded);
  // The data block that take() was last given, decoded; views that memory.
  const Block& block() const { return block_; }

  bool begun() const noexcept { return header_.has_value(); }
  bool sealed() const noexcept { return seal_.has_value(); }
  const GenerationHeader& header() const;
  const Seal& seal() const;
  const RecordScan& records() const;
  Position position() const { return records().position(); }
  Generation generation() const noexcept { return header_ ? header_->generation : expected_.generation; }
  std::uint32_t next_block() const noexcept { return next_block_; }
  std::uint64_t bytes() const noexcept { return std::uint64_t(next_block_) * block_bytes; }
  bool digest_known() const noexcept { return digest_.has_value(); }
  ChainLink link() const;        // of what was taken; digest_known()
  Expected expected_next() const;  // for the generation behind; sealed()

 private:
  Result<void> take_header(ByteView block);
  Result<void> take_seal(ByteView block);
  Result<void> take_data(ByteView block, std::vector<RecordHeader>* begun);
  Result<void> feed(const Block& block, std::vector<RecordHeader>* begun);

  Expected expected_;
  std::optional<GenerationHeader> header_;
  std::optional<RecordScan> records_;
  std::optional<StreamDigest> digest_;
  std::optional<Seal> seal_;
  Block block_;
  std::uint32_t next_block_ = 0;
};

}  // namespace ccr::storage
