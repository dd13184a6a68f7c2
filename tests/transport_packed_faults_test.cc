// What a hostile or broken peer may put where a packed piece belongs: each ends with a named error, and none takes memory for it.
#include <zstd.h>

#include "tests/transport_samples.h"
#include "transport/history_budget.h"
#include "transport/log_packer.h"
#include "transport/log_unpacker.h"
#include "transport/page_packing.h"

namespace ccr::transport::packed_faults_test {
namespace {

constexpr std::size_t cases_min = 40;  // FAULTS, group 'compression'
constexpr int granted = 20;

struct Fault {
  const char* name;
  Bytes packed;
  std::size_t raw_bytes;
  std::optional<ErrorKind> expected;  // nullopt: a control, which is good
};

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Bytes little_endian(std::uint64_t value, int bytes) {
  Bytes out;
  for (int i = 0; i < bytes; ++i) out.push_back(std::byte(value >> (8 * i)));
  return out;
}

Bytes magic() { return little_endian(0xFD2FB528, 4); }
Bytes skippable() { return little_endian(0x184D2A5F, 4) + little_endian(3, 4) + Bytes(3); }
// One block: type 0 as it is, 1 one byte repeated.
Bytes block(bool last, unsigned type, std::size_t size, const Bytes& content) {
  return little_endian((last ? 1u : 0u) | type << 1 | size << 3, 3) + content;
}
// A frame written by hand: `descriptor` without the length's bits, `window` its byte, the length in 4 bytes.
Bytes by_hand(unsigned descriptor, std::optional<unsigned> window, std::uint32_t length, const Bytes& blocks) {
  Bytes head = magic() + little_endian(descriptor | 0x80, 1);
  if (window) head = head + little_endian(*window, 1);
  return head + little_endian(length, 4) + blocks;
}
constexpr unsigned window_byte(unsigned log) { return (log - 10) << 3; }

struct Frame {
  int history_log = 20;
  bool sized = true, checksum = false, ends = true;
};

Bytes frame_of(const Bytes& raw, Frame how) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, how.history_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, how.checksum ? 1 : 0);
  if (how.sized) ZSTD_CCtx_setPledgedSrcSize(context, raw.size());
  Bytes out(ZSTD_compressBound(raw.size()) + KiB);
  ZSTD_inBuffer in{raw.data(), raw.size(), 0};
  ZSTD_outBuffer made{out.data(), out.size(), 0};
  // A first call that is not the last: the library learns the length from nobody but us.
  EXPECT_EQ(ZSTD_compressStream2(context, &made, &in, how.sized ? ZSTD_e_continue : ZSTD_e_flush), 0u);
  if (how.ends) {
    EXPECT_EQ(ZSTD_compressStream2(context, &made, &in, ZSTD_e_end), 0u);
  }
  ZSTD_freeCCtx(context);
  out.resize(made.pos);
  return out;
}

Bytes cut(Bytes packed, std::size_t size) {
  packed.resize(size);
  return packed;
}

Bytes flipped(Bytes packed, std::size_t at) {
  packed[at] ^= std::byte{0xff};
  return packed;
}

// Puts another content length into a frame that has a window byte and 4 bytes of length.
Bytes with_length(Bytes packed, std::uint32_t length) {
  const Bytes bytes = little_endian(length, 4);
  std::copy(bytes.begin(), bytes.end(), packed.begin() + 6);
  return packed;
}

std::vector<Fault> page_faults() {
  constexpr auto protocol = ErrorKind::protocol, corrupt = ErrorKind::corrupt;
  const Bytes raw = random_bytes(8192, 1);
  const Bytes good = frame_of(raw, {});
  const Bytes checked = frame_of(raw, {.checksum = true});
  const Bytes bomb = frame_of(Bytes(64 * MiB), {});
  const Bytes one_block = block(true, 0, raw.size(), raw);
  return {
      {"good", good, 8192, {}},
      {"good, with a checksum", checked, 8192, {}},
      {"good, history 2^20 by hand", by_hand(0, window_byte(20), 8192, one_block), 8192, {}},
      {"bomb that says so", bomb, MiB, protocol},
      {"bomb that says 1 MiB", with_length(bomb, MiB), MiB, corrupt},
      {"bomb without a length", frame_of(Bytes(64 * MiB), {.sized = false}), MiB, protocol},
      {"bomb of one repeated byte", by_hand(0, window_byte(20), MiB, block(true, 1, (1u << 21) - 1, Bytes(1))), MiB, corrupt},
      {"a byte more than the message says", good, 8191, protocol},
      {"a byte less than the message says", good, 8193, protocol},
      {"a length one too high in both", by_hand(0, window_byte(20), 8193, one_block), 8193, corrupt},
      {"a length one too low in both", by_hand(0, window_byte(20), 8191, one_block), 8191, corrupt},
      {"no length", frame_of(raw, {.sized = false}), 8192, protocol},
      {"history 2^21", by_hand(0, window_byte(21), 8192, one_block), 8192, protocol},
      {"history 2^27", by_hand(0, window_byte(27), 8192, one_block), 8192, protocol},
      {"history 2^31", by_hand(0, window_byte(31), 8192, one_block), 8192, protocol},
      {"history 2^41", by_hand(0, 0xff, 8192, one_block), 8192, protocol},
      {"two frames", good + good, 8192, protocol},
      {"a skippable frame behind", good + skippable(), 8192, protocol},
      {"a skippable frame before", skippable() + good, 8192, protocol},
      {"a skippable frame alone", skippable(), 8192, protocol},
      {"a dictionary, 1 byte",
       magic() + little_endian(0x81, 1) + little_endian(window_byte(20), 1) + Bytes(1, std::byte{9}) + little_endian(8192, 4) +
           one_block,
       8192, protocol},
      {"a dictionary, 4 bytes of zeros",
       magic() + little_endian(0x83, 1) + little_endian(window_byte(20), 1) + Bytes(4) + little_endian(8192, 4) + one_block, 8192,
       protocol},
      {"a byte behind", good + Bytes(1), 8192, protocol},
      {"cut in its magic", cut(good, 3), 8192, protocol},
      {"cut in its header", cut(good, 6), 8192, protocol},
      {"cut in a block", cut(good, good.size() / 2), 8192, corrupt},
      {"its last byte is missing", cut(good, good.size() - 1), 8192, corrupt},
      {"bad checksum", flipped(checked, checked.size() - 1), 8192, corrupt},
      {"checksum is missing", cut(checked, checked.size() - 4), 8192, corrupt},
      {"nothing", {}, 8192, protocol},
      {"an empty frame", frame_of({}, {}), 8192, protocol},
      {"a reserved bit", by_hand(0x08, window_byte(20), 8192, one_block), 8192, protocol},
      {"a reserved type of block", by_hand(0, window_byte(20), 8192, block(true, 3, 8192, raw)), 8192, corrupt},
      {"the magic of zstd 0.7", little_endian(0xFD2FB527, 4) + Bytes(good.begin() + 4, good.end()), 8192, protocol},
  };
}

std::vector<Fault> stream_faults() {
  constexpr auto protocol = ErrorKind::protocol, corrupt = ErrorKind::corrupt;
  const Bytes raw = random_bytes(8192, 1);
  const Frame open{.sized = false, .ends = false};
  const Bytes good = frame_of(raw, open);
  Bytes broken = frame_of(Bytes(8192), open);
  broken[6] = std::byte{0xff};  // a reserved type of block
  return {
      {"good", good, 8192, {}},
      {"bomb", frame_of(Bytes(64 * MiB), open), 8192, protocol},
      {"a byte more", good, 8191, protocol},
      {"a block more", good, 4096, protocol},
      {"a byte less", good, 8193, protocol},
      {"history 2^21", frame_of(raw, {.history_log = 21, .sized = false, .ends = false}), 8192, protocol},
      {"history 2^27", frame_of(raw, {.history_log = 27, .sized = false, .ends = false}), 8192, protocol},
      {"history 2^31", magic() + little_endian(0, 1) + little_endian(window_byte(31), 1) + block(false, 0, 8192, raw), 8192,
       protocol},
      {"a length", frame_of(raw, {.ends = false}), 8192, protocol},
      {"a stream that ends", frame_of(raw, {.sized = false}), 8192, protocol},
      {"two frames", frame_of(raw, {.sized = false}) + good, 16384, protocol},
      {"a skippable frame", skippable() + good, 8192, protocol},
      {"a dictionary",
       magic() + little_endian(0x01, 1) + little_endian(window_byte(20), 1) + Bytes(1, std::byte{9}) + block(false, 0, 8192, raw),
       8192, protocol},
      {"cut in its header", cut(good, 5), 8192, protocol},
      {"cut in a block", cut(good, good.size() / 2), 8192, protocol},
      {"its last byte is missing", cut(good, good.size() - 1), 8192, protocol},
      {"damaged", broken, 8192, corrupt},
      {"nothing", {}, 8192, protocol},
      {"no frame", raw, 8192, protocol},
  };
}

void expect_end(const Fault& fault, const Result<void>& result) {
  if (!fault.expected) {
    EXPECT_TRUE(result.ok()) << fault.name << ": " << result.error().message;
    return;
  }
  ASSERT_FALSE(result.ok()) << fault.name;
  EXPECT_STREQ(name_of(result.error().kind), name_of(*fault.expected)) << fault.name << ": " << result.error().message;
}

TEST(PackedFaults, ThereAreAsManyAsTheCatalogueAsksFor) { EXPECT_GE(page_faults().size() + stream_faults().size(), cases_min); }

TEST(PackedFaults, OfPagesEndWithANamedError) {
  for (const Fault& fault : page_faults()) {
    PageUnpacker unpacker;
    const Result<ByteView> images = unpacker.unpack(fault.packed, fault.raw_bytes);
    expect_end(fault, images.ok() ? Result<void>() : Result<void>(images.error()));
    if (images.ok()) {
      EXPECT_EQ(images->size(), fault.raw_bytes) << fault.name;
    }
  }
}

TEST(PackedFaults, OfAStreamEndWithANamedErrorAndBoundedMemory) {
  for (const Fault& fault : stream_faults()) {
    LogUnpacker unpacker(granted);
    Bytes raw(fault.raw_bytes);
    Result<void> result = unpacker.begin(fault.packed);
    if (result.ok()) result = unpacker.unpack(fault.packed, raw);
    expect_end(fault, result);
    EXPECT_LE(unpacker.memory_bytes(), unpacking_bytes(granted)) << fault.name;
  }
}

TEST(PackedFaults, ALaterPieceIsHeldToTheSame) {
  const Bytes raw = random_bytes(8192, 5);
  const auto second = [&](auto change) {
    LogPacker packer(1, granted);
    LogUnpacker unpacker(granted);
    const Result<ByteView> first = packer.pack(raw);
    EXPECT_TRUE(unpacker.begin(*first).ok());
    Bytes back(raw.size());
    EXPECT_TRUE(unpacker.unpack(*first, back).ok());
    const Result<ByteView> next = packer.pack(raw);
    Bytes packed(next->begin(), next->end());
    change(packed);
    return unpacker.unpack(packed, back);
  };
  EXPECT_TRUE(second([](Bytes&) {}).ok());
  expect_kind(second([](Bytes& packed) { packed.pop_back(); }), ErrorKind::protocol);
  expect_kind(second([](Bytes& packed) { packed.clear(); }), ErrorKind::protocol);
  expect_kind(second([](Bytes& packed) { packed = packed + packed; }), ErrorKind::protocol);
}

TEST(PackedFaults, APieceBeforeItsStreamBeginsIsRefused) {
  LogUnpacker unpacker(granted);
  Bytes raw(4096);
  expect_kind(unpacker.unpack(Bytes(10), raw), ErrorKind::protocol);
}

TEST(PackedFaults, NoFlippedBitOfAPieceDoesMoreThanEndIt) {
  LogPacker packer(1, granted);
  const Bytes raw(4096, std::byte{'a'});
  const Result<ByteView> packed = packer.pack(raw);
  const Bytes good(packed->begin(), packed->end());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= std::byte(1 << (bit % 8));
    LogUnpacker unpacker(granted);
    Bytes back(raw.size());
    Result<void> result = unpacker.begin(bad);
    if (result.ok()) result = unpacker.unpack(bad, back);
    if (!result.ok()) {
      EXPECT_TRUE(result.error().kind == ErrorKind::protocol || result.error().kind == ErrorKind::corrupt)
          << result.error().message;
    }
  }
}

}  // namespace
}  // namespace ccr::transport::packed_faults_test
