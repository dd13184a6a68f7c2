// Messages: literal bytes, round trips, every truncation, and values that no decoder may let in.
#include "tests/transport_samples.h"
#include "transport/body_codec.h"

namespace ccr::transport {
namespace {

const std::string hello_hex =
    "01000100"                          // versions 1 to 1
    "01"                                // purpose log
    "036c6162"                          // cluster lab
    "0462657461"                        // from beta
    "05616c706861"                      // to alpha
    "066f7264657273"                    // database orders
    "0673716c697465"                    // kind sqlite
    "0f0031302e37372e302e313a3634333237"  // address 10.77.0.1:64327
    "8877665544332211"                  // session
    "000102030405060708090a0b0c0d0e0f"  // signature
    "0300000000000000"                  // epoch
    "05000000000000000030000000000000"  // wanted 5+12288
    "02"                                // two chain points
    "05000000000000000030000000000000"  // the first 12288 bytes of 5
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "04000000000000000000000000000000"  // the whole of 4
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

const std::string tip_hex =
    "05000000000000000040000000000000"  // durable 5+16384
    "4d00000000000000"                  // commit 77
    "e8030000"                          // 1000 pages
    "0807060504030201"                  // root
    "01"                                // it is known
    "0300000000000000"                  // epoch
    "00002a36fe9c9717"                  // 1.7e18 ns since 1970
    "2a00000000000000"                  // sent_at
    "00";                               // not at rest

Result<Message> decode_copy(std::uint8_t type, const Bytes& body) { return decode(type, body); }

void expect_refused(std::uint8_t type, const Bytes& body, const std::string& message) {
  const Result<Message> decoded = decode_copy(type, body);
  expect_kind(decoded, ErrorKind::protocol);
  expect_message(decoded, message);
}

Bytes log_body(std::size_t log_bytes) {
  Bytes body(16);
  Encoder encoder(body);
  encoder.u64(5);
  encoder.u64(8192);
  body.resize(16 + log_bytes);
  return body;
}

TEST(Messages, HelloHasTheseBytes) { EXPECT_EQ(to_hex(encode(sample_hello())), hello_hex); }
TEST(Messages, TipHasTheseBytes) { EXPECT_EQ(to_hex(encode(sample_tip())), tip_hex); }

TEST(Messages, LogDataHasTheseBytesAndItsBlocksLast) {
  const Bytes blocks(4096, std::byte{0xee});
  const LogData log{{0x1a3}, 8192, blocks};
  const Bytes whole = encode(log);
  EXPECT_EQ(to_hex(ByteView(whole).first(20)), "a3010000000000000020000000000000eeeeeeee");
  EXPECT_EQ(whole.size(), 16u + 4096u);
  EXPECT_EQ(to_hex(encode(log, true)), "a3010000000000000020000000000000");
  EXPECT_EQ(tail_of(log).data(), blocks.data());
  EXPECT_EQ(tail_offset(type_of(log)), 16u);
}

TEST(Messages, ExtentPagesHaveTheirImagesLast) {
  const Bytes images(8192, std::byte{0xee});
  const ExtentPages pages{3, {{5}, 8192}, 1000, 769, images, true};
  EXPECT_EQ(to_hex(encode(pages, true)),
            "03000000e803000005000000000000000020000000000000"
            "01030000"
            "01000000");
  EXPECT_EQ(tail_offset(type_of(pages)), 32u);
}

TEST(Messages, AnAskedPageHasItsImageLast) {
  EXPECT_EQ(to_hex(encode(PageAsk{7, 0x1122334455667788})), "070000008877665544332211");
  const Bytes image(4096, std::byte{0xee});
  const PageAnswer answer{7, PageAnswer::Standing::same, {{5}, 8192}, image};
  EXPECT_EQ(to_hex(encode(answer, true)), "070000000100000005000000000000000020000000000000");
  EXPECT_EQ(tail_offset(type_of(answer)), 24u);
  EXPECT_EQ(tail_of(answer).data(), image.data());
}

TEST(Messages, AnImageComesOnlyWhereThePageIsTheSame) {
  const Bytes image(4096);
  Bytes other = encode(PageAnswer{7, PageAnswer::Standing::same, {}, image});
  other[4] = std::byte{2};
  expect_refused(27, other, "message PageAnswer: an image where none can be");
  Bytes cut = encode(PageAnswer{7, PageAnswer::Standing::same, {}, image});
  cut.resize(cut.size() - 512);
  expect_refused(27, cut, "message PageAnswer: an image that is no page");
  expect_refused(26, Bytes(12), "message PageAsk: page 0");
}

TEST(Messages, TypesHaveTheseNumbersAndNames) {
  const Bytes tail(8192);
  std::string text;
  for (const Message& message : sample_messages(tail))
    text += std::to_string(type_of(message)) + " " + type_name(type_of(message)) + "\n";
  EXPECT_EQ(text,
            "1 Hello\n2 Welcome\n3 Refuse\n4 LogData\n5 Tip\n6 Watermarks\n7 SeedOpen\n8 SeedOffer\n9 ExtentDigestsAsk\n10 "
            "ExtentDigests\n"
            "11 PageDigestsAsk\n12 PageDigestList\n13 ExtentAsk\n14 ExtentPages\n15 SeedFinish\n16 SeedEnd\n17 SeedRelease\n18 "
            "VerifyAsk\n"
            "19 VerifyAnswer\n20 MeasureAsk\n21 MeasureData\n22 MeasureEnd\n23 LogPacked\n24 ExtentPacked\n25 PathBeat\n"
            "26 PageAsk\n27 PageAnswer\n28 RolesTold\n29 HandoverAsk\n30 HandoverAnswer\n");
  EXPECT_STREQ(type_name(0), "unknown");
  EXPECT_STREQ(type_name(31), "unknown");
}

TEST(Messages, EachComesBackAsItWas) {
  const Bytes tail = random_bytes(8192, 1);
  for (const Message& message : sample_messages(tail)) {
    const Bytes body = encode(message);
    const Result<Message> decoded = decode_copy(type_of(message), body);
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_EQ(type_of(*decoded), type_of(message));
    EXPECT_EQ(encode(*decoded), body) << type_name(type_of(message));
    EXPECT_TRUE(std::ranges::equal(tail_of(*decoded), tail_of(message)));
  }
}

TEST(Messages, FieldsComeBackWhereTheyBelong) {
  const Bytes hello_body = encode(sample_hello());
  const Result<Message> decoded = decode_copy(1, hello_body);
  ASSERT_TRUE(decoded.ok());
  const Hello& hello = std::get<Hello>(*decoded);
  EXPECT_EQ(hello.cluster + "/" + hello.from_node + "/" + hello.to_node + "/" + hello.database + "/" + hello.kind,
            "lab/beta/alpha/orders/sqlite");
  EXPECT_EQ(hello.chain, sample_hello().chain);
  const Bytes marks_body = encode(sample_watermarks());
  const Result<Message> decoded_marks = decode_copy(6, marks_body);
  ASSERT_TRUE(decoded_marks.ok());
  const Watermarks& marks = std::get<Watermarks>(*decoded_marks);
  EXPECT_EQ(marks.received, (Position{{5}, 20480}));
  EXPECT_EQ(marks.replayed, (Position{{5}, 8192}));
  EXPECT_EQ(marks.cause, "log flows");
  EXPECT_EQ(marks.hint, "ccr status");
  EXPECT_EQ(marks.echo_of_data, 41u);
  EXPECT_EQ(marks.seed_rate, 6u);
  EXPECT_TRUE(marks.seed_running);
  EXPECT_EQ(marks.seed_image_bytes, 7u);
  EXPECT_EQ(marks.history_stream, 2u);
  EXPECT_EQ(marks.history_log, 26u);
}

TEST(Messages, EveryTruncationIsRefused) {
  const Bytes tail = random_bytes(8192, 2);
  for (const Message& message : sample_messages(tail)) {
    const Bytes body = encode(message);
    for (std::size_t size = 0; size < body.size(); ++size) {
      const std::size_t of_tail = size < tail_offset(type_of(message)) ? 0 : size - tail_offset(type_of(message));
      // A shorter run of whole blocks or pages is another good message; the frame's length and checksum tell them apart.
      if (std::holds_alternative<LogData>(message) && of_tail > 0 && of_tail % 4096 == 0) continue;
      if (std::holds_alternative<ExtentPages>(message) && size >= 32 && of_tail % 512 == 0) continue;
      if (std::holds_alternative<MeasureData>(message) && of_tail > 0 && of_tail % 64 == 0) continue;
      if (std::holds_alternative<LogPacked>(message) && of_tail > 0) continue;  // zstd tells them apart
      if (std::holds_alternative<ExtentPacked>(message) && of_tail > 0) continue;
      if (std::holds_alternative<PageAnswer>(message) && (of_tail == 512 || of_tail == 1024 || of_tail == 2048)) continue;
      const Bytes cut(body.begin(), body.begin() + std::ptrdiff_t(size));
      EXPECT_FALSE(decode_copy(type_of(message), cut).ok()) << type_name(type_of(message)) << " of " << size << " bytes";
    }
  }
}

TEST(Messages, AByteTooManyIsRefused) {
  const Bytes tail = random_bytes(8192, 3);
  for (const Message& message : sample_messages(tail)) {
    if (std::holds_alternative<LogPacked>(message) || std::holds_alternative<ExtentPacked>(message)) continue;  // zstd refuses it
    Bytes body = encode(message);
    body.push_back(std::byte{0});
    EXPECT_FALSE(decode_copy(type_of(message), body).ok()) << type_name(type_of(message));
  }
}

TEST(Messages, NoFlippedBitOfAnyMessageCrashesTheDecoder) {
  const Bytes tail = random_bytes(4096, 4);
  std::uint64_t accepted = 0, refused = 0;
  for (const Message& message : sample_messages(tail)) {
    const Bytes body = encode(message, true);
    for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
      Bytes bad = body;
      bad[bit / 8] ^= std::byte(1 << (bit % 8));
      const ByteView behind = tail_of(message);
      bad.insert(bad.end(), behind.begin(), behind.end());
      const Result<Message> decoded = decode_copy(type_of(message), bad);
      decoded.ok() ? ++accepted : ++refused;
      if (decoded.ok()) {
        EXPECT_EQ(encode(*decoded), bad);  // whatever is let in means what its bytes say
      }
    }
  }
  EXPECT_GT(accepted, 0u);
  EXPECT_GT(refused, 0u);
}

TEST(Messages, UnknownTypesAreRefused) {
  expect_refused(0, {}, "message of unknown type 0");
  expect_refused(31, {}, "message of unknown type 31");
  expect_refused(255, {}, "message of unknown type 255");
}

TEST(Messages, UnknownEnumValuesAreRefused) {
  Bytes hello = encode(sample_hello());
  hello[4] = std::byte{9};
  expect_refused(1, hello, "message Hello: an unknown value 9");
  hello[4] = std::byte{0};
  expect_refused(1, hello, "message Hello: an unknown value 0");
  Bytes refuse = encode(Refuse{RefuseReason::busy, "", ""});
  refuse[0] = std::byte{13};
  expect_refused(3, refuse, "message Refuse: an unknown value 13");
}

TEST(Messages, AFlagIsZeroOrOne) {
  Bytes tip = encode(sample_tip());
  tip[36] = std::byte{2};
  expect_refused(5, tip, "message Tip: a flag that is neither 0 nor 1");
}

TEST(Messages, LogDataIsWholeBlocksAndAtMostAMebibyte) {
  EXPECT_TRUE(decode_copy(4, log_body(4096)).ok());
  EXPECT_TRUE(decode_copy(4, log_body(MiB)).ok());
  expect_refused(4, log_body(0), "message LogData: no log, or more than 1 MiB of it");
  expect_refused(4, log_body(MiB + 4096), "message LogData: no log, or more than 1 MiB of it");
  expect_refused(4, log_body(4095), "message LogData: log that is not whole blocks of 4096 bytes");
  Bytes shifted = log_body(4096);
  shifted[8] = std::byte{1};
  expect_refused(4, shifted, "message LogData: log at an offset where no block begins");
  Bytes nowhere = log_body(4096);
  nowhere[0] = std::byte{0};
  expect_refused(4, nowhere, "message LogData: log of generation 0");
}

Bytes packed_body(LogPacked::Step step, std::uint8_t history_log, std::uint32_t raw_bytes, bool packed) {
  Bytes body(26);
  Encoder encoder(body);
  const bool log = raw_bytes != 0;
  encoder.u64(log ? 5 : 0);
  encoder.u64(log ? 8192 : 0);
  encoder.u8(static_cast<std::uint8_t>(step));
  encoder.u8(history_log);
  encoder.u32(2);
  encoder.u32(raw_bytes);
  if (packed) body.push_back(std::byte{1});
  return body;
}

TEST(Messages, LogPackedHoldsLogOrAgreesOnAStream) {
  using Step = LogPacked::Step;
  EXPECT_TRUE(decode_copy(23, packed_body(Step::fresh, 26, 4096, true)).ok());
  EXPECT_TRUE(decode_copy(23, packed_body(Step::more, 0, MiB, true)).ok());
  EXPECT_TRUE(decode_copy(23, packed_body(Step::ask, 27, 0, false)).ok());
  EXPECT_TRUE(decode_copy(23, packed_body(Step::end, 0, 0, false)).ok());
  expect_refused(23, packed_body(Step::ask, 28, 0, false), "message LogPacked: a history that no stream has");
  expect_refused(23, packed_body(Step::fresh, 19, 4096, true), "message LogPacked: a history that no stream has");
  expect_refused(23, packed_body(Step::more, 20, 4096, true), "message LogPacked: a history that no stream has");
  expect_refused(23, packed_body(Step::more, 0, MiB + 4096, true), "message LogPacked: no log, or more than 1 MiB of it");
  expect_refused(23, packed_body(Step::more, 0, 4095, true), "message LogPacked: log that is not whole blocks of 4096 bytes");
  expect_refused(23, packed_body(Step::more, 0, 4096, false), "message LogPacked: nothing packed, or more than 1 MiB");
  expect_refused(23, packed_body(Step::end, 0, 4096, true), "message LogPacked: log where none can be");
  expect_refused(23, packed_body(Step::ask, 27, 0, true), "message LogPacked: log where none can be");
}

TEST(Messages, ExtentPagesAreWholePages) {
  const Bytes images(1024);
  Bytes body = encode(ExtentPages{3, {{5}, 8192}, 1000, 769, images, true});
  body.pop_back();
  expect_refused(14, body, "message ExtentPages: images that are not whole pages");
  Bytes from_zero = encode(ExtentPages{3, {{5}, 8192}, 1000, 769, images, true});
  from_zero[24] = from_zero[25] = std::byte{0};
  expect_refused(14, from_zero, "message ExtentPages: images from page 0 on");
  Bytes reserved = encode(ExtentPages{3, {{5}, 8192}, 1000, 769, images, true});
  reserved[31] = std::byte{1};
  expect_refused(14, reserved, "message ExtentPages: reserved bytes are in use");
}

TEST(Messages, AStepOfAMeasurementIsBounded) {
  const auto refusal = [](auto change) {
    MeasureAsk ask;
    ask.step = MeasureStep::send;
    ask.message_bytes = 64;
    Bytes body = encode(ask);
    change(body);
    const Result<Message> decoded = decode_copy(20, body);
    return decoded.ok() ? std::string("accepted") : decoded.error().message;
  };
  const auto at = [](std::size_t offset, std::uint64_t value, std::size_t bytes) {
    return [=](Bytes& body) {
      for (std::size_t i = 0; i < bytes; ++i) body[offset + i] = std::byte(value >> (8 * i));
    };
  };
  EXPECT_EQ(refusal(at(9, 60'000, 4)), "accepted");
  EXPECT_EQ(refusal(at(9, 60'001, 4)), "message MeasureAsk: a step of more than 60 s");
  EXPECT_EQ(refusal(at(21, 0, 4)), "message MeasureAsk: messages of nothing, or of more than 1 MiB");
  EXPECT_EQ(refusal(at(21, 1'048'640, 4)), "message MeasureAsk: messages of nothing, or of more than 1 MiB");
  EXPECT_EQ(refusal(at(21, 65, 4)), "message MeasureAsk: messages that are not whole grains of 64 bytes");
  EXPECT_EQ(refusal(at(25, 64 * MiB + 1, 8)), "message MeasureAsk: a window of more than 64 MiB");
  EXPECT_EQ(refusal(at(33, 5, 1)), "message MeasureAsk: an unknown value 5");
  EXPECT_EQ(refusal(at(0, 8, 1)), "message MeasureAsk: an unknown value 8");
  EXPECT_EQ(refusal(at(0, 7, 1)), "message MeasureAsk: pages of no size that a database can have");
  EXPECT_EQ(refusal([](Bytes& body) { body[0] = std::byte(2); }), "message MeasureAsk: writes that are not whole blocks of 4096 bytes");
}

TEST(Messages, AListIsHeldAgainstItsLimitBeforeRoomIsMade) {
  Bytes digests = encode(ExtentDigests{1, {}});
  digests[4] = digests[5] = digests[6] = digests[7] = std::byte{0xff};
  expect_refused(10, digests, "message ExtentDigests: a list of 4294967295, at most 65536 are allowed");
  Bytes short_list = encode(ExtentDigests{1, {}});
  short_list[6] = std::byte{1};  // 65,536 of them, none there
  expect_refused(10, short_list, "message ExtentDigests: it ends early");
  Bytes pages = encode(PageDigestList{1, {}});
  pages[5] = std::byte{9};
  expect_refused(12, pages, "message PageDigestList: a list of 2304, at most 2048 are allowed");
  Bytes ask = encode(ExtentDigestsAsk{0, 65'536});
  ask[4] = std::byte{1};
  expect_refused(9, ask, "message ExtentDigestsAsk: more extents than 65536");
  Bytes mask = encode(ExtentAsk{1, {}});
  mask[4] = std::byte{1};
  mask[5] = std::byte{1};
  expect_refused(13, mask, "message ExtentAsk: a mask of 257 bytes, at most 256 are allowed");
}

TEST(Messages, ExtentNumbersDoNotWrapAround) {
  Bytes ask = encode(ExtentDigestsAsk{0, 2});
  ask[0] = ask[1] = ask[2] = ask[3] = std::byte{0xff};
  expect_refused(9, ask, "message ExtentDigestsAsk: extents beyond the last number");
}

TEST(Messages, GenerationsOfTwoToThe63AndAboveAreRefused) {
  Bytes tip = encode(sample_tip());
  tip[7] = std::byte{0x80};
  expect_refused(5, tip, "message Tip: a generation number of 2^63 or above");
}

TEST(Messages, ChainPointsAreNewestFirstAndAtMost64) {
  Hello hello = sample_hello();
  hello.chain.clear();
  for (std::uint64_t g = 64; g > 0; --g) hello.chain.push_back({{g}, 0, digest_of(1)});
  Bytes body = encode(hello);
  EXPECT_TRUE(decode_copy(1, body).ok());
  const std::size_t count_at = hello_hex.size() / 2 - 65;
  ASSERT_EQ(body[count_at], std::byte{64});
  Bytes more = body;
  more[count_at] = std::byte{65};
  more.resize(more.size() + 32);
  expect_refused(1, more, "message Hello: more chain points than 64");
  Bytes rising = body;
  rising[count_at + 1] = std::byte{1};
  expect_refused(1, rising, "message Hello: chain points that are not newest first");
}

TEST(Messages, AHelloOfAnotherVersionIsReadUpToItsRange) {
  Bytes body = encode(sample_hello());
  body[0] = std::byte{2};
  body[2] = std::byte{5};
  body.resize(9);
  const Result<Message> decoded = decode_copy(1, body);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(std::get<Hello>(*decoded).version_min, 2);
  EXPECT_EQ(std::get<Hello>(*decoded).version_max, 5);
  EXPECT_EQ(std::get<Hello>(*decoded).cluster, "");
}

TEST(Messages, AVersionRangeThatEndsBeforeItBeginsIsRefused) {
  Bytes body = encode(sample_hello());
  body[0] = std::byte{2};
  expect_refused(1, body, "message Hello: a version range that ends before it begins");
}

TEST(Messages, NamesAndTextsAreUtf8OnOneLine) {
  for (const char* bad :
       {"a\nb", "a\x1b[2J", "\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc2\x9b", "\xe2\x80\xa8", "\x7f"}) {
    EXPECT_FALSE(is_clean(bad));
    const std::string raw(bad);
    Bytes body = encode(Refuse{RefuseReason::busy, std::string(raw.size(), 'x'), ""});
    for (std::size_t i = 0; i < raw.size(); ++i) body[3 + i] = std::byte(raw[i]);
    expect_refused(3, body, "message Refuse: a text that is not UTF-8 on one line");
  }
  for (const char* good : {"", "orders",
                           "b\xc3\xbc"
                           "cher",
                           "\xe2\x82\xac", "\xf0\x9f\x90\x98", "a b"})
    EXPECT_TRUE(is_clean(good));
}

TEST(Messages, ATextIsCleanedAndCutBetweenTwoCharacters) {
  EXPECT_EQ(cleaned("a\nb\xff"
                    "c",
                    100),
            "a b c");
  EXPECT_EQ(cleaned("ab\xe2\x82\xac", 4), "ab");
  EXPECT_EQ(cleaned("ab\xe2\x82\xac", 5), "ab\xe2\x82\xac");
  const Bytes body = encode(Refuse{RefuseReason::busy, std::string(5000, 'x'), "two\nlines"});
  const Result<Message> decoded = decode_copy(3, body);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(std::get<Refuse>(*decoded).text, std::string(1024, 'x'));
  EXPECT_EQ(std::get<Refuse>(*decoded).hint, "two lines");
}

TEST(Messages, ANameIsAtMost128Bytes) {
  Hello hello = sample_hello();
  hello.cluster = std::string(128, 'x');
  Bytes body = encode(hello);
  EXPECT_TRUE(decode_copy(1, body).ok());
  body[5] = std::byte{129};
  expect_refused(1, body, "message Hello: a text of 129 bytes, at most 128 are allowed");
}

TEST(Messages, PageSizesArePowersOfTwo) {
  Bytes offer = encode(SeedOffer{{{5}, 4096}, 60, 1000, 4096, true});
  offer[29] = std::byte{0x30};
  expect_refused(8, offer, "message SeedOffer: a page size that is no power of two from 512 to 65536");
}

}  // namespace
}  // namespace ccr::transport
