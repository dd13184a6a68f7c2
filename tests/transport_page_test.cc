// transport/README.md is the page of the format; here it is held against the code.
#include <fstream>
#include <sstream>

#include "tests/transport_samples.h"
#include "transport/frame.h"

namespace ccr::transport {
namespace {

std::string page() {
  std::ifstream file(CCR_SOURCE_DIR "/transport/README.md");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The bytes of the page's hex blocks, in order.
std::vector<Bytes> examples() {
  const std::string text = page();
  const std::string open = "```hex\n", close = "```";
  std::vector<Bytes> blocks;
  for (std::size_t at = text.find(open); at != std::string::npos; at = text.find(open, at)) {
    at += open.size();
    const std::size_t end = text.find(close, at);
    Bytes bytes;
    int high = -1;
    for (; at < end; ++at) {
      const int digit = nibble(text[at]);
      if (digit < 0) continue;
      if (high >= 0) bytes.push_back(std::byte(high * 16 + digit));
      high = high >= 0 ? -1 : digit;
    }
    blocks.push_back(bytes);
  }
  return blocks;
}

struct Read {
  FrameHeader header;
  Message message;
};

Result<Read> read_frame(const Bytes& bytes) {
  const Result<FrameHeader> header = decode_frame_header(ByteView(bytes).first(frame_header_bytes), frame_body_max);
  CCR_TRY(header);
  const ByteView body = ByteView(bytes).subspan(frame_header_bytes);
  if (body.size() != header->body_bytes) return Error{ErrorKind::protocol, "length", ""};
  if (body_checksum({&body, 1}) != header->body_checksum) return Error{ErrorKind::corrupt, "checksum", ""};
  const Result<Message> message = decode(header->type, body);
  CCR_TRY(message);
  return Read{*header, *message};
}

TEST(FormatPage, ItsHelloFrameIsTheSampleHello) {
  const std::vector<Bytes> frames = examples();
  ASSERT_EQ(frames.size(), 2u);
  const Result<Read> read = read_frame(frames[0]);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->header.session, 0u);
  EXPECT_EQ(read->header.sequence, 1u);
  const Hello& hello = std::get<Hello>(read->message);
  EXPECT_EQ(hello.cluster, "lab");
  EXPECT_EQ(hello.from_node, "beta");
  EXPECT_EQ(hello.to_node, "alpha");
  EXPECT_EQ(hello.database, "orders");
  EXPECT_EQ(hello.session, 0x1122334455667788u);
  EXPECT_EQ(hello.epoch, 3u);
  EXPECT_EQ(hello.wanted, (Position{{5}, 12288}));
  ASSERT_EQ(hello.chain.size(), 2u);
  EXPECT_EQ(hello.chain[1], (ChainPoint{{4}, 0, digest_of(0xbb)}));
  EXPECT_EQ(encode(hello), encode(sample_hello()));
}

TEST(FormatPage, ItsTipFrameIsTheSampleTip) {
  const std::vector<Bytes> frames = examples();
  ASSERT_EQ(frames.size(), 2u);
  const Result<Read> read = read_frame(frames[1]);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->header.session, 0x1122334455667788u);
  EXPECT_EQ(read->header.sequence, 2u);
  const Tip& tip = std::get<Tip>(read->message);
  EXPECT_EQ(tip.durable, (Position{{5}, 16384}));
  EXPECT_EQ(tip.commit, 77u);
  EXPECT_EQ(tip.page_count, 1000u);
  EXPECT_EQ(tip.root, 0x0102030405060708u);
  EXPECT_EQ(tip.sent_at, 42u);
  EXPECT_EQ(encode(tip), encode(sample_tip()));
}

std::string with_commas(std::size_t value) {
  std::string text = std::to_string(value);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

// The smallest and the largest body of each type.
struct Extremes {
  Message smallest, largest;
};

std::vector<Extremes> extremes(const Bytes& tail) {
  const std::string name(name_bytes_max, 'n'), text(text_bytes_max, 't');
  const ByteView whole(tail);
  Hello hello;
  hello.cluster = hello.from_node = hello.to_node = hello.database = hello.kind = name;
  hello.address = text;
  hello.chain.assign(chain_links_max, ChainPoint{{1}, 0, {}});
  Welcome named;
  named.node = name;
  Watermarks marks;
  marks.state = name;
  marks.cause = marks.comment = marks.hint = text;
  MeasureAsk named_ask;
  named_ask.database = name;
  MeasureEnd slotted;
  slotted.congestion = name;
  slotted.slots.resize(measure_slots_max);
  const std::vector<Digest64> pages(extent_pages_max), extents(extent_digests_max);
  LogPacked ended;
  ended.step = LogPacked::Step::end;
  ended.stream = 1;
  LogPacked largest = ended;
  largest.step = LogPacked::Step::more;
  largest.generation = {1};
  largest.raw_bytes = log_block_bytes;
  largest.packed = whole;
  const std::string longest_name(name_bytes_max, 'n');
  RolesTold roles;
  roles.entries.assign(roles_max, RoleEntry{longest_name, {}, 0, longest_name, false, false, false, {}, 0, {}, 0, {}, {}, {}, {}, 0});
  const HandoverAsk long_ask{HandoverStep::check, longest_name, 0, longest_name, {}, 0, 0, false};
  return {{Hello{}, hello},
          {Welcome{}, named},
          {Refuse{}, Refuse{RefuseReason::busy, text, text}},
          {LogData{{1}, 0, whole.first(log_block_bytes)}, LogData{{1}, 0, whole}},
          {Tip{}, Tip{}},
          {Watermarks{}, marks},
          {SeedOpen{}, SeedOpen{}},
          {SeedOffer{}, SeedOffer{}},
          {ExtentDigestsAsk{}, ExtentDigestsAsk{}},
          {ExtentDigests{}, ExtentDigests{0, extents}},
          {PageDigestsAsk{}, PageDigestsAsk{}},
          {PageDigestList{}, PageDigestList{0, pages}},
          {ExtentAsk{}, ExtentAsk{0, Bytes(page_mask_bytes_max)}},
          {ExtentPages{}, ExtentPages{0, {}, 0, 1, whole, false}},
          {SeedFinish{}, SeedFinish{}},
          {SeedEnd{}, SeedEnd{}},
          {SeedRelease{}, SeedRelease{}},
          {VerifyAsk{}, VerifyAsk{}},
          {VerifyAnswer{}, VerifyAnswer{0, {}, 0, 0, pages, pages}},
          {MeasureAsk{}, named_ask},
          {MeasureData{1, whole.first(measure_grain_bytes)}, MeasureData{1, whole}},
          {MeasureEnd{}, slotted},
          {ended, largest},
          {ExtentPacked{0, {}, 0, 1, 512, whole.first(1), false}, ExtentPacked{0, {}, 0, 1, 512, whole, false}},
          {PathBeat{}, PathBeat{~std::uint64_t(0)}},
          {PageAsk{}, PageAsk{}},
          {PageAnswer{}, PageAnswer{1, PageAnswer::Standing::same, {}, whole.first(page_bytes_max)}},
          {RolesTold{}, roles},
          {HandoverAsk{}, long_ask},
          {HandoverAnswer{}, HandoverAnswer{false, text, text, {}, 0}}};
}

TEST(FormatPage, ItsTableNamesEveryTypeWithItsSmallestAndLargestBody) {
  const std::string text = page();
  const Bytes tail(tail_bytes_max);
  const std::vector<Extremes> all = extremes(tail);
  ASSERT_EQ(all.size(), std::variant_size_v<Message>);
  for (const Extremes& of_type : all) {
    const std::uint8_t type = type_of(of_type.smallest);
    const std::size_t low = encode(of_type.smallest).size(), high = encode(of_type.largest).size();
    EXPECT_LE(high, frame_body_max);
    if (type <= 3) {
      EXPECT_LE(high, handshake_body_max);
    }
    const std::string sizes = low == high ? with_commas(low) : with_commas(low) + " to " + with_commas(high);
    const std::string start = "| " + std::to_string(type) + " | " + type_name(type) + " | ";
    const std::size_t row = text.find(start);
    ASSERT_NE(row, std::string::npos) << start;
    EXPECT_EQ(text.substr(row + start.size() + 4, sizes.size()), sizes) << type_name(type);
  }
}

}  // namespace
}  // namespace ccr::transport
