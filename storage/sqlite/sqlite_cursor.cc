#include "storage/sqlite/sqlite_cursor.h"

#include "base/digest.h"

namespace ccr::storage::sqlite {
namespace {

constexpr std::uint8_t cursor_version = 1;
constexpr std::uint8_t flag_file_complete = 1;
constexpr std::uint8_t flag_big_endian = 2;
constexpr std::size_t check_bytes = 4;
constexpr std::uint32_t page_size_unit = 512;  // 65536 / 512 fits 16 bits

std::uint32_t check_of(const SourceCursor& bytes) {
  return static_cast<std::uint32_t>(digest64(ByteView(bytes).first(bytes.size() - check_bytes), cursor_version));
}

ResumeVerdict lost(std::string reason, std::string cause) { return {ResumeVerdict::How::lost, std::move(reason), std::move(cause)}; }

bool accounts_for_one_reset(const SqliteCursor& cursor, const ResumeFacts& facts) {
  if (facts.salts.first != cursor.shape.salts.first + 1 || !facts.frame_left) return false;
  return facts.change - cursor.change == facts.tail_commits + facts.current_commits;
}

}  // namespace

SourceCursor encode_cursor(const SqliteCursor& cursor) {
  SourceCursor bytes{};
  Encoder out(bytes);
  out.u8(cursor_version);
  out.u8(static_cast<std::uint8_t>((cursor.file_complete ? flag_file_complete : 0) | (cursor.shape.big_endian ? flag_big_endian : 0)));
  out.u16(static_cast<std::uint16_t>(cursor.shape.page_size / page_size_unit));
  out.u32(cursor.frame);
  out.u32(cursor.shape.salts.first);
  out.u32(cursor.shape.salts.second);
  out.u32(cursor.checksum.first);
  out.u32(cursor.checksum.second);
  out.u32(cursor.change);
  out.u32(cursor.page_count);
  out.u32(cursor.change_counter);
  out.u64(cursor.file.inode);
  out.u64(cursor.file.bytes);
  out.u64(static_cast<std::uint64_t>(cursor.file.modified_nanoseconds));
  out.u32(check_of(bytes));
  CCR_ASSERT(out.written() == bytes.size());
  return bytes;
}

std::optional<SqliteCursor> decode_cursor(const SourceCursor& bytes) {
  Decoder in(bytes);
  if (in.u8() != cursor_version) return std::nullopt;
  SqliteCursor cursor;
  const std::uint8_t flags = in.u8();
  cursor.file_complete = (flags & flag_file_complete) != 0;
  cursor.shape.big_endian = (flags & flag_big_endian) != 0;
  cursor.shape.page_size = in.u16() * page_size_unit;
  cursor.frame = in.u32();
  cursor.shape.salts.first = in.u32();
  cursor.shape.salts.second = in.u32();
  cursor.checksum.first = in.u32();
  cursor.checksum.second = in.u32();
  cursor.change = in.u32();
  cursor.page_count = in.u32();
  cursor.change_counter = in.u32();
  cursor.file.inode = in.u64();
  cursor.file.bytes = in.u64();
  cursor.file.modified_nanoseconds = static_cast<std::int64_t>(in.u64());
  if (in.u32() != check_of(bytes) || !is_page_size(cursor.shape.page_size)) return std::nullopt;
  return cursor;
}

ResumeVerdict judge_resume(const std::optional<SqliteCursor>& cursor, const ResumeFacts& facts) {
  using How = ResumeVerdict::How;
  if (!cursor) return lost("first_start", "this database was not captured before");
  if (facts.file.inode != cursor->file.inode) return lost("file_replaced", "another file lies at the path of the database");
  if (facts.page_size != cursor->shape.page_size) return lost("file_replaced", "the page size of the database is another one");
  if (facts.place_found) return {How::same_wal, "", ""};
  if (accounts_for_one_reset(*cursor, facts)) return {How::after_reset, "", ""};
  const bool untouched = facts.file == cursor->file && facts.change_counter == cursor->change_counter;
  if (cursor->file_complete && untouched) return {How::whole_wal, "", ""};
  if (facts.change_counter < cursor->change_counter) return lost("file_replaced", "the database went back to an older state");
  return lost("wal_gap", "commits may have passed unseen: the WAL was reset or removed since the last capture");
}

std::optional<std::uint32_t> tail_commits_proven(std::uint32_t change_growth, std::uint32_t current_commits, std::uint32_t tail_commits) {
  if (change_growth < current_commits) return std::nullopt;
  const std::uint32_t needed = change_growth - current_commits;
  if (needed > tail_commits) return std::nullopt;
  return needed;
}

}  // namespace ccr::storage::sqlite
