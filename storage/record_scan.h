// RecordScan walks the record stream through verified blocks, in order: where records begin and end, and the canonical position.
//
// Everybody who computes a position uses it, so that one position is one byte everywhere: the passive side, recovery, the readers
// and the inspector. Pure: blocks in, facts or the first breach of the format out (FAULTS invariant 4). After an error the scan is
// spent; keep a copy of the one before where the block may come again.
#pragma once

#include <optional>
#include <vector>

#include "storage/log_format.h"

namespace ccr::storage {

class RecordScan {
 public:
  // Stands before block 1 of the generation.
  explicit RecordScan(const GenerationHeader& header);
  // Stands at `from`, the canonical start of a record inside the generation; what came before is not known, and not carried on.
  RecordScan(const GenerationHeader& header, Position from);

  // The block that follows. `begun`, when asked for: the headers that were complete in this block, in order.
  Result<void> feed(const Block& block, std::vector<RecordHeader>* begun = nullptr);
  // The seal; a record's header never goes on behind one, so that the next generation header can carry it whole.
  Result<void> pass_seal();
  // The header of the generation behind the seal: what it says about the record stream must be what was found.
  Result<void> enter(const GenerationHeader& next);

  // Behind the last record that ended (and the seals behind it): the start of the one that goes on, or of the one that comes.
  Position position() const noexcept;
  bool pending() const noexcept { return pending_.has_value(); }
  std::uint32_t next_block() const noexcept { return next_block_; }
  Generation generation() const noexcept { return generation_; }
  const std::optional<RecordHeader>& last_record() const noexcept { return last_; }
  std::uint64_t records_begun() const noexcept { return begun_; }
  std::uint64_t records_abandoned() const noexcept { return abandoned_; }

  std::optional<CarriedRecord> carried() const;  // for the header of the generation behind the seal

 private:
  // A record whose last byte is not here yet. Its header is known when its 128 bytes are.
  struct Pending {
    Position start;
    std::uint64_t taken = 0;
    std::array<std::byte, RecordHeader::encoded_bytes> header_bytes{};
    std::optional<RecordHeader> header;
  };

  Result<std::size_t> take_header(ByteView bytes, std::vector<RecordHeader>* begun);
  Result<std::size_t> take(ByteView bytes, std::vector<RecordHeader>* begun);
  Result<std::size_t> take_carried(const Block& block, std::vector<RecordHeader>* begun);
  Result<void> begin_at(const Block& block, std::size_t at, bool first);
  void set_pending(const CarriedRecord& carried);

  Generation generation_;
  std::uint32_t page_size_ = 0;
  std::uint32_t blocks_max_ = 0;
  std::uint32_t next_block_ = 1;
  std::size_t start_at_ = 0;          // payload offset of the first record to be read in the next block; not 0 only at the start
  bool sealed_ = false;
  std::optional<CommitNumber> last_number_;  // of the last record that ended; unknown after a start in the middle
  std::optional<RecordHeader> last_;
  std::optional<Pending> pending_;
  std::uint64_t begun_ = 0;
  std::uint64_t abandoned_ = 0;
};

}  // namespace ccr::storage
