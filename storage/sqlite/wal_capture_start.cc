// Where a capture begins: walking a WAL from its first frame, judging a cursor, taking the present for the place.
#include <limits>

#include "storage/sqlite/wal_capture.h"

namespace ccr::storage::sqlite {

std::optional<WalHeader> WalCapture::wal_header(WalSalts salts) const {
  std::array<std::byte, wal_header_bytes> bytes{};
  if (!session_.read_wal(0, bytes)) return std::nullopt;
  const std::optional<WalHeader> header = decode_wal_header(bytes);
  if (!header || header->salts != salts || header->page_size != page_size_) return std::nullopt;
  return header;
}

std::optional<WalCapture::Walked> WalCapture::walk(WalSalts salts, std::uint32_t last_frame, NewestPages* note) {
  if (last_frame == 0) return Walked{};
  const std::optional<WalHeader> header = wal_header(salts);
  if (!header) return std::nullopt;
  Walked walked{0, header->checksum, header->big_endian};
  WalDecoder decoder(WalShape{page_size_, header->big_endian, salts}, 0, header->checksum);
  std::uint32_t reached = 0;
  bool loaded = false;  // what the window held before is of another moment
  while (reached < last_frame) {
    const std::uint32_t next = decoder.next_frame();
    if (!loaded || !window_.holds(next)) {
      if (!window_.load(next, last_frame) || !window_.holds(next)) return std::nullopt;
      loaded = true;
    }
    const WalDecoder::Outcome outcome = decoder.feed(window_.from(next), last_frame);
    if (outcome == WalDecoder::Outcome::more) continue;
    if (outcome != WalDecoder::Outcome::commit) return std::nullopt;
    const WalCommit commit = decoder.take_commit();
    ++walked.commits;
    walked.checksum = commit.checksum;
    reached = commit.last_frame;
    if (note != nullptr) note->note(commit);
  }
  return walked;
}

bool WalCapture::frame_left(const SqliteCursor& cursor) const {
  if (cursor.frame == 0) return false;
  std::array<std::byte, frame_header_bytes> bytes{};
  if (!session_.read_wal(frame_offset(cursor.frame, page_size_), bytes)) return false;
  const FrameHeader header = decode_frame_header(bytes);
  return header.salts == cursor.shape.salts && header.checksum == cursor.checksum;
}

ResumeFacts WalCapture::resume_facts(const std::optional<SqliteCursor>& cursor, const WalIndex& index) {
  ResumeFacts facts;
  facts.file = facts_of(session_.path().database).value_or(FileFacts{});
  facts.page_size = page_size_;
  facts.change_counter = place_.change_counter;
  facts.salts = index.salts;
  facts.change = index.change;
  if (!cursor || cursor->shape.page_size != page_size_) return facts;
  newest_.clear();
  if (cursor->shape.salts == index.salts) {
    // An index built from an empty WAL has salts of zero, whichever life it is in.
    const bool nothing_of_this_filling = cursor->frame == 0 && index.salts != WalSalts{};
    const bool reaches = cursor->frame > 0 && cursor->frame <= index.last_frame;
    const std::optional<Walked> walked = reaches ? walk(index.salts, cursor->frame, &newest_) : std::nullopt;
    facts.place_found = nothing_of_this_filling || (walked && walked->checksum == cursor->checksum);
    if (facts.place_found) return facts;
  }
  const SqliteCursor before = place_;
  place_ = *cursor;
  facts.frame_left = frame_left(*cursor);
  if (facts.frame_left) {
    WalWindow tail_window(session_, page_size_, tail_bytes_max);
    facts.tail_commits = static_cast<std::uint32_t>(read_tail(tail_window).size());
  }
  place_ = before;
  const std::optional<Walked> current = walk(index.salts, index.last_frame, nullptr);
  if (!current) facts.frame_left = false;  // not to be counted
  facts.current_commits = current ? current->commits : std::numeric_limits<std::uint32_t>::max();
  return facts;
}

ResumeVerdict WalCapture::resume(const std::optional<SqliteCursor>& cursor, const WalIndex& index) {
  const FileFacts file = place_.file;
  const std::uint32_t change_counter = place_.change_counter;
  const ResumeFacts facts = resume_facts(cursor, index);
  ResumeVerdict verdict = judge_resume(cursor, facts);
  if (verdict.how == ResumeVerdict::How::lost) return verdict;
  place_ = *cursor;
  place_.file_complete = false;
  place_.file = file;
  place_.change_counter = change_counter;
  if (verdict.how != ResumeVerdict::How::same_wal) newest_.clear();
  if (verdict.how == ResumeVerdict::How::whole_wal) {
    enter_wal(index);
    place_.change = index.change - facts.current_commits;
  }
  delivering_ = true;
  return verdict;
}

WalCapture::Pass WalCapture::lose(const WalIndex& index) {
  newest_.clear();
  const std::optional<Walked> walked = walk(index.salts, index.last_frame, &newest_);
  if (!walked) return Pass::moved_on;
  place_.shape = {page_size_, walked->big_endian, index.salts};
  place_.frame = index.last_frame;
  place_.checksum = walked->checksum;
  place_.change = index.change;
  place_.page_count = page_count_of(index);
  delivering_ = false;
  touched_.clear();
  return Pass::caught_up;
}

PageNumber WalCapture::page_count_of(const WalIndex& index) const {
  if (index.page_count != 0) return index.page_count;
  return static_cast<PageNumber>((session_.file_bytes() + page_size_ - 1) / page_size_);
}

}  // namespace ccr::storage::sqlite
