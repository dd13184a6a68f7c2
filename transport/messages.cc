#include "transport/messages.h"

#include <array>
#include <type_traits>
#include <utility>

#include "transport/body_codec.h"
#include "transport/frame.h"
#include "transport/measure_fields.h"
#include "transport/repair_fields.h"
#include "transport/role_fields.h"

namespace ccr::transport {
namespace {

// Each fields() lists the fields of one message in wire order, for the writer and the reader alike, and the rules that hold between
// them.

constexpr bool is_power_of_two(std::uint64_t value) noexcept { return value != 0 && (value & (value - 1)) == 0; }

// 0 is 'not known yet': an empty SQLite file has no page size.
constexpr bool is_page_size(std::uint32_t value) noexcept {
  return value == 0 || (is_power_of_two(value) && value >= page_bytes_min && value <= page_bytes_max);
}

constexpr bool speaks(std::uint16_t version_min, std::uint16_t version_max) noexcept {
  return version_min <= protocol_version_max && version_max >= protocol_version_min;
}

constexpr bool is_history_log(std::uint8_t value) noexcept { return value >= history_log_min && value <= history_log_max; }

void chain_fields(BodyWriter& a, const std::vector<ChainPoint>& chain) {
  CCR_ASSERT(chain.size() <= chain_links_max);
  a.u8(static_cast<std::uint8_t>(chain.size()));
  for (const ChainPoint& point : chain) {
    a.generation(point.generation);
    a.u64(point.bytes);
    a.digest(point.digest);
  }
}

void chain_fields(BodyReader& a, std::vector<ChainPoint>& chain) {
  std::uint8_t count = 0;
  a.u8(count);
  a.require(count <= chain_links_max, "more chain points than 64");
  for (std::uint8_t i = 0; i < count && a.ok(); ++i) {
    ChainPoint point;
    a.generation(point.generation);
    a.u64(point.bytes);
    a.digest(point.digest);
    a.require(point.generation.number != 0, "a chain point of generation 0");
    a.require(chain.empty() || point.generation <= chain.back().generation, "chain points that are not newest first");
    chain.push_back(point);
  }
}

template <class A>
void fields(A& a, typename A::template Ref<Hello> m) {
  a.u16(m.version_min);
  a.u16(m.version_max);
  a.require(m.version_min <= m.version_max, "a version range that ends before it begins");
  if (A::reads && a.ok() && !speaks(m.version_min, m.version_max)) return a.skip_rest();
  a.word(m.purpose, Purpose::fetch);
  a.name(m.cluster);
  a.name(m.from_node);
  a.name(m.to_node);
  a.name(m.database);
  a.name(m.kind);
  a.text(m.address);
  a.u64(m.session);
  a.signature(m.signature);
  a.u64(m.epoch);
  a.position(m.wanted);
  chain_fields(a, m.chain);
}

template <class A>
void fields(A& a, typename A::template Ref<Welcome> m) {
  a.u16(m.version);
  a.name(m.node);
  a.u64(m.session);
  a.signature(m.signature);
  a.u64(m.epoch);
  a.u32(m.page_size);
  a.u64(m.generation_bytes);
  a.word(m.verdict, Verdict::unseeded);
  a.generation(m.fork);
  a.generation(m.first);
  a.position(m.durable);
  a.u64(m.durable_commit);
  a.flag(m.forced);
  a.require(is_page_size(m.page_size), "a page size that is no power of two from 512 to 65536");
  a.require(m.generation_bytes <= generation_bytes_limit, "generations longer than 64 MiB");
}

template <class A>
void fields(A& a, typename A::template Ref<Refuse> m) {
  a.word(m.reason, RefuseReason::damaged);
  a.text(m.text);
  a.text(m.hint);
}

constexpr std::size_t log_data_fields = 8 + 8;
template <class A>
void fields(A& a, typename A::template Ref<LogData> m) {
  a.generation(m.generation);
  a.u64(m.offset);
  a.tail(m.bytes);
  a.require(m.generation.number != 0, "log of generation 0");
  a.require(!m.bytes.empty() && m.bytes.size() <= tail_bytes_max, "no log, or more than 1 MiB of it");
  a.require(m.bytes.size() % log_block_bytes == 0, "log that is not whole blocks of 4096 bytes");
  a.require(m.offset % log_block_bytes == 0 && m.offset <= generation_bytes_limit, "log at an offset where no block begins");
}

template <class A>
void fields(A& a, typename A::template Ref<Tip> m) {
  a.position(m.durable);
  a.u64(m.commit);
  a.u32(m.page_count);
  a.u64(m.root);
  a.flag(m.root_known);
  a.u64(m.epoch);
  a.wall(m.wall);
  a.u64(m.sent_at);
  a.flag(m.at_rest);
}

template <class A>
void fields(A& a, typename A::template Ref<Watermarks> m) {
  a.position(m.received);
  a.position(m.durable);
  a.position(m.inspected);
  a.position(m.replayed);
  a.u64(m.replayed_commit);
  a.name(m.state);
  a.text(m.cause);
  a.text(m.comment);
  a.text(m.hint);
  a.position(m.root_equal_at);
  a.u64(m.root_equal);
  a.wall(m.disk_verified_at);
  a.u64(m.echo);
  a.u64(m.echo_of_data);
  a.u64(m.replay_queue_ns);
  a.u64(m.seed_sent);
  a.u64(m.seed_equal);
  a.u64(m.seed_wire_bytes);
  a.u64(m.seed_done_bytes);
  a.u64(m.seed_total_bytes);
  a.u64(m.seed_rate);
  a.flag(m.seed_running);
  a.u64(m.seed_image_bytes);
  a.u32(m.history_stream);
  a.u8(m.history_log);
  a.flag(m.at_rest);
  a.require(m.history_log == 0 || is_history_log(m.history_log), "a history that no stream has");
}

template <class A>
void fields(A& a, typename A::template Ref<SeedOpen> m) {
  a.position(m.resume_from);
}

template <class A>
void fields(A& a, typename A::template Ref<SeedOffer> m) {
  a.position(m.from);
  a.u64(m.from_commit);
  a.u32(m.page_count);
  a.u32(m.page_size);
  a.flag(m.resumed);
  a.require(is_page_size(m.page_size), "a page size that is no power of two from 512 to 65536");
}

template <class A>
void fields(A& a, typename A::template Ref<ExtentDigestsAsk> m) {
  a.u32(m.first);
  a.u32(m.count);
  a.require(m.count <= extent_digests_max, "more extents than 65536");
  a.require(m.first + m.count >= m.first, "extents beyond the last number");
}

template <class A>
void fields(A& a, typename A::template Ref<ExtentDigests> m) {
  a.u32(m.first);
  a.digests(m.digests, extent_digests_max);
  a.require(m.first + static_cast<std::uint32_t>(m.digests.size()) >= m.first, "extents beyond the last number");
}

template <class A>
void fields(A& a, typename A::template Ref<PageDigestsAsk> m) {
  a.u32(m.extent);
}

template <class A>
void fields(A& a, typename A::template Ref<PageDigestList> m) {
  a.u32(m.extent);
  a.digests(m.digests, extent_pages_max);
}

template <class A>
void fields(A& a, typename A::template Ref<ExtentAsk> m) {
  a.u32(m.extent);
  a.mask(m.pages, page_mask_bytes_max);
}

constexpr std::size_t extent_pages_fields = 4 + 4 + 16 + 4 + 1 + 3;
template <class A>
void fields(A& a, typename A::template Ref<ExtentPages> m) {
  a.u32(m.extent);
  a.u32(m.page_count);
  a.position(m.as_of);
  a.u32(m.first);
  a.flag(m.last);
  a.zeros(3);
  a.tail(m.images);
  a.require(m.images.size() <= tail_bytes_max, "more than 1 MiB of pages");
  a.require(m.images.size() % page_bytes_min == 0, "images that are not whole pages");
  a.require(m.images.empty() || m.first != 0, "images from page 0 on");
}
static_assert(tail_bytes_max + extent_pages_fields <= frame_body_max && tail_bytes_max + log_data_fields <= frame_body_max &&
              tail_bytes_max + measure_data_fields <= frame_body_max);

template <class A>
void fields(A&, typename A::template Ref<SeedFinish>) {}

template <class A>
void fields(A& a, typename A::template Ref<SeedEnd> m) {
  a.position(m.until);
  a.u64(m.commit);
}

template <class A>
void fields(A&, typename A::template Ref<SeedRelease>) {}

template <class A>
void fields(A& a, typename A::template Ref<VerifyAsk> m) {
  a.u32(m.extent);
}

template <class A>
void fields(A& a, typename A::template Ref<VerifyAnswer> m) {
  a.u32(m.extent);
  a.position(m.as_of);
  a.u64(m.commit);
  a.u32(m.page_count);
  a.digests(m.disk, extent_pages_max);
  a.digests(m.table, extent_pages_max);
}

constexpr std::size_t log_packed_fields = 8 + 8 + 1 + 1 + 4 + 4;
template <class A>
void fields(A& a, typename A::template Ref<LogPacked> m) {
  using Step = LogPacked::Step;
  a.generation(m.generation);
  a.u64(m.offset);
  a.word(m.step, Step::end);
  a.u8(m.history_log);
  a.u32(m.stream);
  a.u32(m.raw_bytes);
  a.tail(m.packed);
  const bool holds_log = m.step == Step::more || m.step == Step::fresh;
  const bool names_history = m.step == Step::ask || m.step == Step::fresh;
  a.require(m.stream != 0, "packed log of stream 0");
  a.require(names_history ? is_history_log(m.history_log) : m.history_log == 0, "a history that no stream has");
  if (holds_log) {
    a.require(m.generation.number != 0, "log of generation 0");
    a.require(m.offset % log_block_bytes == 0 && m.offset <= generation_bytes_limit, "log at an offset where no block begins");
    a.require(m.raw_bytes != 0 && m.raw_bytes <= tail_bytes_max, "no log, or more than 1 MiB of it");
    a.require(m.raw_bytes % log_block_bytes == 0, "log that is not whole blocks of 4096 bytes");
    a.require(!m.packed.empty() && m.packed.size() <= tail_bytes_max, "nothing packed, or more than 1 MiB");
  } else {
    a.require(m.generation.number == 0 && m.offset == 0 && m.raw_bytes == 0 && m.packed.empty(), "log where none can be");
  }
}

constexpr std::size_t extent_packed_fields = 4 + 4 + 16 + 4 + 1 + 3 + 4;
template <class A>
void fields(A& a, typename A::template Ref<ExtentPacked> m) {
  a.u32(m.extent);
  a.u32(m.page_count);
  a.position(m.as_of);
  a.u32(m.first);
  a.flag(m.last);
  a.zeros(3);
  a.u32(m.images_bytes);
  a.tail(m.packed);
  a.require(m.images_bytes != 0 && m.images_bytes <= tail_bytes_max, "no pages, or more than 1 MiB of them");
  a.require(m.images_bytes % page_bytes_min == 0, "images that are not whole pages");
  a.require(m.first != 0, "images from page 0 on");
  a.require(!m.packed.empty() && m.packed.size() <= tail_bytes_max, "nothing packed, or more than 1 MiB");
}

template <class A>
void fields(A& a, typename A::template Ref<PathBeat> m) {
  a.u64(m.number);
  a.u32(m.connections);
  a.u32(m.awake);
}

static_assert(tail_bytes_max + extent_packed_fields <= frame_body_max && tail_bytes_max + log_packed_fields <= frame_body_max);

constexpr std::size_t type_count = std::variant_size_v<Message>;
constexpr std::array<const char*, type_count + 1> type_names{
    "unknown",       "Hello",          "Welcome",        "Refuse",    "LogData",
    "Tip",           "Watermarks",     "SeedOpen",       "SeedOffer", "ExtentDigestsAsk",
    "ExtentDigests", "PageDigestsAsk", "PageDigestList", "ExtentAsk", "ExtentPages",
    "SeedFinish",    "SeedEnd",        "SeedRelease",    "VerifyAsk", "VerifyAnswer",
    "MeasureAsk",    "MeasureData",    "MeasureEnd",     "LogPacked", "ExtentPacked",
    "PathBeat",      "PageAsk",        "PageAnswer",     "RolesTold", "HandoverAsk",
    "HandoverAnswer"};

// The numbers are a format: a new message goes to the end.
template <class M, std::uint8_t type>
constexpr bool numbered = std::is_same_v<std::variant_alternative_t<type - 1, Message>, M>;
static_assert(numbered<Hello, 1> && numbered<LogData, 4> && numbered<SeedOpen, 7> && numbered<ExtentPages, 14> &&
              numbered<VerifyAnswer, 19> && numbered<MeasureAsk, 20> && numbered<MeasureEnd, 22> && numbered<ExtentPacked, 24> && numbered<PathBeat, 25> &&
              numbered<PageAnswer, 27> && numbered<HandoverAnswer, 30>);

template <class M>
Result<Message> decode_as(std::uint8_t type, ByteView body) {
  BodyReader reader(body);
  M message;
  fields(reader, message);
  const std::string fault = reader.verdict();
  if (!fault.empty()) return Error{ErrorKind::protocol, std::string("message ") + type_name(type) + ": " + fault, ""};
  return Message(std::move(message));
}

template <std::size_t... index>
Result<Message> decode_any(std::uint8_t type, ByteView body, std::index_sequence<index...>) {
  using Decode = Result<Message> (*)(std::uint8_t, ByteView);
  static constexpr std::array<Decode, sizeof...(index)> table{&decode_as<std::variant_alternative_t<index, Message>>...};
  return table[type - 1](type, body);
}

}  // namespace

std::uint8_t type_of(const Message& message) noexcept { return static_cast<std::uint8_t>(message.index() + 1); }

const char* type_name(std::uint8_t type) noexcept { return type_names[type <= type_count ? type : 0]; }

Bytes encode(const Message& message, bool without_tail) {
  BodyWriter writer;
  std::visit([&writer](const auto& m) { fields(writer, m); }, message);
  if (!without_tail) writer.append(tail_of(message));
  return writer.take();
}

ByteView tail_of(const Message& message) noexcept {
  if (const auto* log = std::get_if<LogData>(&message)) return log->bytes;
  if (const auto* pages = std::get_if<ExtentPages>(&message)) return pages->images;
  if (const auto* measured = std::get_if<MeasureData>(&message)) return measured->bytes;
  if (const auto* log_packed = std::get_if<LogPacked>(&message)) return log_packed->packed;
  if (const auto* pages_packed = std::get_if<ExtentPacked>(&message)) return pages_packed->packed;
  if (const auto* page = std::get_if<PageAnswer>(&message)) return page->image;
  return {};
}

std::size_t tail_offset(std::uint8_t type) noexcept {
  if (type == type_of(LogData{})) return log_data_fields;
  if (type == type_of(ExtentPages{})) return extent_pages_fields;
  if (type == type_of(MeasureData{})) return measure_data_fields;
  if (type == type_of(LogPacked{})) return log_packed_fields;
  if (type == type_of(ExtentPacked{})) return extent_packed_fields;
  if (type == type_of(PageAnswer{})) return page_answer_fields;
  return 0;
}

Result<Message> decode(std::uint8_t type, ByteView body) {
  if (type == 0 || type > type_count) return Error{ErrorKind::protocol, "message of unknown type " + std::to_string(type), ""};
  return decode_any(type, body, std::make_index_sequence<type_count>());
}

}  // namespace ccr::transport
