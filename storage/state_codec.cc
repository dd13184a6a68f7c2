// The bytes of a copy's state: what a slot of the state file holds.
#include "storage/state_file.h"

#include <algorithm>
#include <string_view>

namespace ccr::storage {
namespace {

constexpr std::uint64_t magic = 0x3154415453524343;  // "CCRSTAT1"
constexpr std::uint32_t version = 8, oldest_version = 6;  // 7: without prepared_whole; 6: nor access, what is kept for a backup or a time, and a cut
constexpr std::size_t slot_block_bytes = 4096;
constexpr std::size_t checksum_at = 24;
constexpr std::size_t slot_header_bytes = 32;

constexpr std::size_t position_bytes = 16;
constexpr std::size_t fixed_bytes_max = 512;  // everything of a CopyState that has one length, with room
constexpr std::size_t pin_bytes_max = 2 + 2 + CopyState::name_bytes_max + position_bytes;
constexpr std::size_t age_bytes = position_bytes + 8;
static_assert(slot_header_bytes + fixed_bytes_max + CopyState::comment_bytes_max + CopyState::cause_bytes_max +
                  3 * CopyState::name_bytes_max + 2 * FileAccess::name_bytes_max + FileAccess::label_bytes_max + CopyState::pins_max * pin_bytes_max + 2 * CopyState::ages_max * age_bytes <=
              StateFile::state_bytes_max);
static_assert(StateFile::state_bytes_max % slot_block_bytes == 0);

constexpr std::size_t whole_blocks(std::size_t bytes) noexcept {
  return (bytes + slot_block_bytes - 1) / slot_block_bytes * slot_block_bytes;
}

Digest64 checksum_of(ByteView slot) { return digest64(slot.subspan(slot_header_bytes), digest64(slot.first(checksum_at), magic)); }

// The start of a UTF-8 text, at most `bytes_max` long, not ending inside a character.
std::string_view clipped(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

// Encodes and decodes the same fields in the same order; each pair of functions stands together.

void put(Encoder& out, const Position& position) {
  out.u64(position.generation.number);
  out.u64(position.offset);
}
Position get_position(Decoder& in) {
  Position position;
  position.generation.number = in.u64();
  position.offset = in.u64();
  return position;
}

void put(Encoder& out, std::string_view text, std::size_t bytes_max) {
  CCR_ASSERT(text.size() <= bytes_max);
  out.u16(static_cast<std::uint16_t>(text.size()));
  out.bytes(as_bytes(text));
}
std::string get_text(Decoder& in, std::size_t bytes_max, bool& legal) {
  const std::size_t size = in.u16();
  if (size > bytes_max) {
    legal = false;
    return {};
  }
  return to_text(in.bytes(size));
}

void put(Encoder& out, bool flag) { out.u8(flag ? 1 : 0); }
bool get_flag(Decoder& in, bool& legal) {
  const std::uint8_t value = in.u8();
  if (value > 1) legal = false;
  return value == 1;
}

void put(Encoder& out, WallTime time) { out.u64(static_cast<std::uint64_t>(time.nanoseconds)); }
WallTime get_time(Decoder& in) { return {static_cast<std::int64_t>(in.u64())}; }

void put(Encoder& out, const FileFacts& facts) {
  out.u64(facts.bytes);
  out.u64(facts.inode);
  out.u64(static_cast<std::uint64_t>(facts.modified_ns));
}
FileFacts get_facts(Decoder& in) {
  FileFacts facts;
  facts.bytes = in.u64();
  facts.inode = in.u64();
  facts.modified_ns = static_cast<std::int64_t>(in.u64());
  return facts;
}

void put(Encoder& out, const SeedProgress& seed) {
  put(out, seed.source, CopyState::name_bytes_max);
  put(out, seed.from);
  out.u32(seed.pass);
  put(out, seed.until);
  out.u64(seed.until_commit);
  put(out, seed.manual_resume);
  put(out, seed.reread);
  out.u64(seed.bytes_per_second_max);
  for (const std::uint64_t count : {seed.extents_sent, seed.extents_equal, seed.wire_bytes, seed.done_bytes, seed.total_bytes})
    out.u64(count);
}
SeedProgress get_seed(Decoder& in, bool& legal) {
  SeedProgress seed;
  seed.source = get_text(in, CopyState::name_bytes_max, legal);
  seed.from = get_position(in);
  seed.pass = in.u32();
  seed.until = get_position(in);
  seed.until_commit = in.u64();
  seed.manual_resume = get_flag(in, legal);
  seed.reread = get_flag(in, legal);
  seed.bytes_per_second_max = in.u64();
  for (std::uint64_t* count : {&seed.extents_sent, &seed.extents_equal, &seed.wire_bytes, &seed.done_bytes, &seed.total_bytes})
    *count = in.u64();
  return seed;
}

void put(Encoder& out, const ScrubProgress& scrub) {
  out.u32(scrub.next_page);
  put(out, scrub.began);
  put(out, scrub.finished);
  out.u64(scrub.rotten);
  out.u64(scrub.repaired);
}
ScrubProgress get_scrub(Decoder& in) {
  ScrubProgress scrub;
  scrub.next_page = in.u32();
  scrub.began = get_time(in);
  scrub.finished = get_time(in);
  scrub.rotten = in.u64();
  scrub.repaired = in.u64();
  return scrub;
}

void put(Encoder& out, const Pin& pin) {
  CCR_ASSERT(pin.kind != Pin::Kind::backup);
  out.u8(static_cast<std::uint8_t>(pin.kind));
  put(out, pin.owner, CopyState::name_bytes_max);
  put(out, pin.from);
  put(out, pin.dropped);
}
Pin get_pin(Decoder& in, bool& legal) {
  Pin pin;
  const std::uint8_t kind = in.u8();
  if (kind != static_cast<std::uint8_t>(Pin::Kind::copy) && kind != static_cast<std::uint8_t>(Pin::Kind::seed)) legal = false;
  pin.kind = static_cast<Pin::Kind>(kind);
  pin.owner = get_text(in, CopyState::name_bytes_max, legal);
  pin.from = get_position(in);
  pin.dropped = get_flag(in, legal);
  return pin;
}

void put(Encoder& out, const std::vector<LogAge>& ages) {
  CCR_ASSERT(ages.size() <= CopyState::ages_max);
  out.u16(static_cast<std::uint16_t>(ages.size()));
  for (const LogAge& age : ages) {
    put(out, age.position);
    out.u64(static_cast<std::uint64_t>(age.age.count()));
  }
}
std::vector<LogAge> get_ages(Decoder& in, bool& legal) {
  std::vector<LogAge> ages;
  const std::size_t count = in.u16();
  if (count > CopyState::ages_max) legal = false;
  for (std::size_t i = 0; i < count && legal && in.ok(); ++i) {
    const Position position = get_position(in);
    const Duration age(static_cast<std::int64_t>(in.u64()));
    if (age < Duration::zero()) legal = false;
    ages.push_back({position, age});
  }
  return ages;
}

void put(Encoder& out, const FileAccess& access) {
  put(out, access.owner, FileAccess::name_bytes_max);
  put(out, access.group, FileAccess::name_bytes_max);
  out.u32(access.mode);
  put(out, access.label, FileAccess::label_bytes_max);
}
FileAccess get_access(Decoder& in, bool& legal) {
  FileAccess access;
  access.owner = get_text(in, FileAccess::name_bytes_max, legal);
  access.group = get_text(in, FileAccess::name_bytes_max, legal);
  access.mode = in.u32();
  access.label = get_text(in, FileAccess::label_bytes_max, legal);
  return access;
}

void put(Encoder& out, const CopyState& state) {
  out.bytes(state.signature.bytes);
  out.u64(state.epoch);
  put(out, state.active, CopyState::name_bytes_max);
  put(out, state.forced);
  out.u8(static_cast<std::uint8_t>(state.deposed));
  out.u64(state.prepared);
  put(out, state.promote_due);
  out.u32(state.page_size);
  put(out, state.durable);
  out.u64(state.durable_commit);
  put(out, state.min_required);
  put(out, state.max_required);
  out.u64(state.replayed_commit);
  put(out, state.seeded);
  put(out, state.suspended);
  put(out, state.failed);
  put(out, clipped(state.comment, CopyState::comment_bytes_max), CopyState::comment_bytes_max);
  put(out, clipped(state.suspended_by, CopyState::name_bytes_max), CopyState::name_bytes_max);
  put(out, clipped(state.cause, CopyState::cause_bytes_max), CopyState::cause_bytes_max);
  put(out, state.since);
  put(out, state.seed);
  put(out, state.tip);
  out.u64(state.tip_commit);
  put(out, state.tip_heard);
  put(out, state.root_equal_at);
  out.u64(state.root_equal);
  put(out, state.disk_verified_at);
  out.u64(state.damaged_pages);
  put(out, state.pages_at_rest);
  put(out, state.scrub);
  CCR_ASSERT(state.pins.size() <= CopyState::pins_max);
  out.u16(static_cast<std::uint16_t>(state.pins.size()));
  for (const Pin& pin : state.pins) put(out, pin);
  put(out, state.received_ages);
  put(out, state.replayed_ages);
  put(out, state.access);
  put(out, state.backup.at);
  out.u64(state.backup.epoch);
  put(out, state.backup.taken);
  put(out, state.log_given_up);
  put(out, state.cut);
  put(out, state.prepared_whole);
}
CopyState get_state(Decoder& in, std::uint32_t written_as, bool& legal) {
  CopyState state;
  const ByteView signature = in.bytes(state.signature.bytes.size());
  std::copy(signature.begin(), signature.end(), state.signature.bytes.begin());
  state.epoch = in.u64();
  state.active = get_text(in, CopyState::name_bytes_max, legal);
  state.forced = get_flag(in, legal);
  const std::uint8_t deposed = in.u8();
  if (deposed > static_cast<std::uint8_t>(Deposed::asked)) legal = false;
  state.deposed = static_cast<Deposed>(legal ? deposed : 0);
  state.prepared = in.u64();
  state.promote_due = get_flag(in, legal);
  state.page_size = in.u32();
  state.durable = get_position(in);
  state.durable_commit = in.u64();
  state.min_required = get_position(in);
  state.max_required = get_position(in);
  state.replayed_commit = in.u64();
  state.seeded = get_flag(in, legal);
  state.suspended = get_flag(in, legal);
  state.failed = get_flag(in, legal);
  state.comment = get_text(in, CopyState::comment_bytes_max, legal);
  state.suspended_by = get_text(in, CopyState::name_bytes_max, legal);
  state.cause = get_text(in, CopyState::cause_bytes_max, legal);
  state.since = get_time(in);
  state.seed = get_seed(in, legal);
  state.tip = get_position(in);
  state.tip_commit = in.u64();
  state.tip_heard = get_time(in);
  state.root_equal_at = get_position(in);
  state.root_equal = in.u64();
  state.disk_verified_at = get_time(in);
  state.damaged_pages = in.u64();
  state.pages_at_rest = get_facts(in);
  state.scrub = get_scrub(in);
  const std::size_t pins = in.u16();
  if (pins > CopyState::pins_max) legal = false;
  for (std::size_t i = 0; i < pins && legal && in.ok(); ++i) state.pins.push_back(get_pin(in, legal));
  state.received_ages = get_ages(in, legal);
  state.replayed_ages = get_ages(in, legal);
  if (written_as < 7) return state;
  state.access = get_access(in, legal);
  state.backup.at = get_position(in);
  state.backup.epoch = in.u64();
  state.backup.taken = get_time(in);
  state.log_given_up = get_position(in);
  state.cut = get_position(in);
  if (written_as < 8) return state;
  state.prepared_whole = get_flag(in, legal);
  return state;
}

Error bad_slot(const std::string& why) { return {ErrorKind::corrupt, "state slot: " + why, ""}; }

}  // namespace

void seal_state(ByteSpan slot) {
  CCR_ASSERT(slot.size() >= slot_header_bytes);
  Encoder(slot.subspan(checksum_at)).u64(checksum_of(slot));
}

Bytes encode_state(const CopyState& state, std::uint64_t sequence) {
  Bytes slot(StateFile::state_bytes_max);
  Encoder payload(ByteSpan(slot).subspan(slot_header_bytes));
  put(payload, state);
  Encoder header(slot);
  header.u64(magic);
  header.u32(version);
  header.u32(static_cast<std::uint32_t>(payload.written()));
  header.u64(sequence);
  slot.resize(whole_blocks(slot_header_bytes + payload.written()));
  seal_state(slot);
  return slot;
}

Result<std::pair<CopyState, std::uint64_t>> decode_state(ByteView slot) {
  if (slot.size() < slot_header_bytes) return bad_slot(std::to_string(slot.size()) + " bytes are too few");
  if (slot.size() > StateFile::state_bytes_max) return bad_slot(std::to_string(slot.size()) + " bytes are too many");
  Decoder header(slot);
  if (header.u64() != magic) return bad_slot("it does not begin as one");
  const std::uint32_t found = header.u32();
  const std::uint32_t payload_bytes = header.u32();
  const std::uint64_t sequence = header.u64();
  if (header.u64() != checksum_of(slot)) return bad_slot("checksum fails");
  if (found < oldest_version || found > version)
    return Error{ErrorKind::unsupported, "state slot: version " + std::to_string(found) + ", this build serves " + std::to_string(version), ""};
  const ByteView rest = slot.subspan(slot_header_bytes);
  if (payload_bytes > rest.size() || whole_blocks(slot_header_bytes + payload_bytes) != slot.size())
    return bad_slot("length does not fit");
  const ByteView padding = rest.subspan(payload_bytes);
  const bool zeros = std::all_of(padding.begin(), padding.end(), [](std::byte b) { return b == std::byte{0}; });
  if (!zeros) return bad_slot("bytes behind its end");
  Decoder payload(rest.first(payload_bytes));
  bool legal = true;
  CopyState state = get_state(payload, found, legal);
  if (!legal || !payload.finished()) return bad_slot("a field is out of range");
  return std::pair<CopyState, std::uint64_t>(std::move(state), sequence);
}

}  // namespace ccr::storage
