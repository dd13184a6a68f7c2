#include "storage/log_recovery.h"

#include <algorithm>

namespace ccr::storage {
namespace {

using Kind = BlockOutcome::Kind;

// How many data blocks a durable position of this generation covers.
std::uint32_t blocks_before(std::uint64_t offset) {
  const std::uint64_t blocks = (offset + block_bytes - 1) / block_bytes;
  return blocks <= 1 ? 0 : static_cast<std::uint32_t>(blocks - 1);
}

struct Prefix {
  std::uint32_t valid = 0;  // data blocks in an unbroken row from block 1 on
  std::uint32_t whole = 0;  // those up to the last place where no record goes on
  bool sealed = false;
};

Prefix prefix_of(const std::vector<BlockOutcome>& blocks) {
  Prefix prefix;
  for (const BlockOutcome& block : blocks) {
    if (block.kind == Kind::seal) prefix.sealed = true;
    if (block.kind != Kind::valid) break;
    ++prefix.valid;
    if (block.ends_record) prefix.whole = prefix.valid;
  }
  return prefix;
}

struct Proof {
  std::uint32_t blocks = 0;  // this many data blocks were durable
  std::string by;
};

Proof proof_of(const RecoveryFacts& facts) {
  Proof proof;
  std::uint32_t number = 0;
  for (const BlockOutcome& block : facts.blocks) {
    ++number;
    if (block.kind != Kind::valid || block.durable.generation != facts.generation) continue;
    const std::uint32_t covered = blocks_before(block.durable.offset);
    if (covered > proof.blocks) proof = {covered, "block " + std::to_string(number) + " states " + to_text(block.durable) + " durable"};
  }
  return proof;
}

RecoveryVerdict refuse(RecoveryVerdict::Kind kind, std::string reason) {
  RecoveryVerdict verdict;
  verdict.kind = kind;
  verdict.reason = std::move(reason);
  return verdict;
}

std::string block_text(std::uint32_t number) { return "block " + std::to_string(number); }

// The log ends before `proven`. Bytes that are there but bad are damage; bytes that are not there are a gap.
RecoveryVerdict refuse_proven(const RecoveryFacts& facts, std::uint32_t valid, Position end) {
  const bool damaged = std::any_of(facts.blocks.begin() + valid, facts.blocks.end(),
                                   [](const BlockOutcome& block) { return block.kind == Kind::bad; });
  const std::string proof = to_text(facts.proven) + " is proven durable";
  if (damaged) return refuse(RecoveryVerdict::Kind::damage, block_text(valid + 1) + " is bad, but " + proof);
  return refuse(RecoveryVerdict::Kind::gap, "the log ends at " + to_text(end) + ", but " + proof);
}

RecoveryVerdict refuse_claimed(const RecoveryFacts& facts, Position end) {
  return refuse(RecoveryVerdict::Kind::damage, "the open generation ends at " + to_text(end) + ", but a later one states " + to_text(facts.claimed) + " durable");
}

std::uint64_t written_behind(const std::vector<BlockOutcome>& blocks, std::uint32_t keep) {
  std::uint64_t last = keep;
  for (std::size_t i = keep; i < blocks.size(); ++i) {
    if (blocks[i].kind != Kind::zero) last = i + 1;
  }
  return last - keep;
}

}  // namespace

RecoveryVerdict decide_recovery(const RecoveryFacts& facts) {
  const Prefix prefix = prefix_of(facts.blocks);
  RecoveryVerdict verdict;
  if (prefix.sealed) {
    const Position behind = Position::start_of(facts.generation.next());
    if (facts.claimed > behind) return refuse_claimed(facts, behind);
    if (facts.proven > behind) return refuse_proven(facts, prefix.valid + 1, behind);
    verdict.kind = RecoveryVerdict::Kind::sealed;
    verdict.keep_blocks = prefix.valid;
    return verdict;
  }
  const Proof proof = proof_of(facts);
  if (prefix.whole < proof.blocks)
    return refuse(RecoveryVerdict::Kind::damage, block_text(prefix.whole + 1) + " is bad, but " + proof.by);
  const Position end = prefix.whole == 0 ? facts.before : position_in_block(facts.generation, prefix.whole + 1, 0);
  if (end < facts.claimed) return refuse_claimed(facts, end);
  if (end < facts.proven) return refuse_proven(facts, prefix.valid, end);
  verdict.keep_blocks = prefix.whole;
  verdict.cut_blocks = written_behind(facts.blocks, prefix.whole);
  return verdict;
}

}  // namespace ccr::storage
