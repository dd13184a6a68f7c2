// The identity file.
#include "storage/identity_file.h"
#include "tests/pages_fixture.h"

namespace ccr::storage::pages_identity_test {
namespace {

using Keep = PageMemoryDisk::Keep;

const std::string directory = "/var/ccr/orders/log";
const std::string path = "/var/ccr/orders/log/ccr-identity";

Identity sample() {
  Identity identity{"lab", "alpha", "orders", "log", "sqlite", {}};
  for (std::size_t i = 0; i < identity.signature.bytes.size(); ++i) identity.signature.bytes[i] = std::byte(i * 17);
  return identity;
}

TEST(IdentityText, IsLinesThatAPersonCanRead) {
  const Result<std::string> text = encode_identity(sample());
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->substr(0, text->find("checksum")),
            "# Whose directory this is. Written by ccr; not to be edited or copied.\n"
            "format = 1\n"
            "cluster = lab\n"
            "node = alpha\n"
            "database = orders\n"
            "purpose = log\n"
            "kind = sqlite\n"
            "signature = 00112233445566778899aabbccddeeff\n");
}

TEST(IdentityText, EveryFieldComesBack) {
  const Result<std::string> text = encode_identity(sample());
  ASSERT_TRUE(text.ok());
  const Result<Identity> identity = decode_identity(*text);
  ASSERT_TRUE(identity.ok());
  EXPECT_EQ(*identity, sample());
}

TEST(IdentityText, ValuesThatLookLikeLinesOfTheFileComeBack) {
  Identity identity = sample();
  identity.cluster = "";
  identity.node = "checksum = 0123456789abcdef";
  identity.database = " = # ünïcode ";
  const Result<std::string> text = encode_identity(identity);
  ASSERT_TRUE(text.ok());
  const Result<Identity> again = decode_identity(*text);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, identity);
}

TEST(IdentityText, AValueThatIsNoLineIsRefused) {
  for (const std::string& value :
       {std::string("two\nlines"), std::string("nul\0", 4), std::string(identity_value_bytes_max + 1, 'x')}) {
    Identity identity = sample();
    identity.node = value;
    EXPECT_EQ(kind_of(encode_identity(identity)), ErrorKind::refused);
  }
}

TEST(IdentityText, EveryFlippedBitIsFound) {
  std::string text = encode_identity(sample()).value();
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_EQ(kind_of(decode_identity(text)), ErrorKind::identity) << "bit " << bit;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
  }
}

TEST(IdentityText, EveryOtherLengthIsFound) {
  const std::string text = encode_identity(sample()).value();
  for (std::size_t size = 0; size < text.size(); ++size)
    ASSERT_EQ(kind_of(decode_identity(text.substr(0, size))), ErrorKind::identity);
  EXPECT_EQ(kind_of(decode_identity(text + "\n")), ErrorKind::identity);
  EXPECT_EQ(kind_of(decode_identity(text + text)), ErrorKind::identity);
  EXPECT_EQ(kind_of(decode_identity(text + std::string(identity_bytes_max, ' '))), ErrorKind::identity);
}

TEST(IdentityText, LinesTooManyOrInAnotherOrderAreFoundBehindAGoodChecksum) {
  const std::string text = encode_identity(sample()).value();
  const std::string body = text.substr(0, text.find("checksum"));
  const auto sealed = [](const std::string& lines) { return lines + "checksum = " + to_hex(digest64(as_bytes(lines)), 16) + "\n"; };
  ASSERT_TRUE(decode_identity(sealed(body)).ok());
  EXPECT_EQ(kind_of(decode_identity(sealed(body + "color = blue\n"))), ErrorKind::identity);
  const std::size_t node = body.find("node = alpha\n");
  std::string without = body;
  without.erase(node, 13);
  EXPECT_EQ(kind_of(decode_identity(sealed(without))), ErrorKind::identity);
  EXPECT_EQ(kind_of(decode_identity(sealed(without + "node = alpha\n"))), ErrorKind::identity);
  std::string newer = body;
  newer.replace(newer.find("format = 1"), 10, "format = 2");
  EXPECT_EQ(kind_of(decode_identity(sealed(newer))), ErrorKind::unsupported);
}

TEST(IdentityFile, WhatWasWrittenIsReadAfterThePowerCut) {
  PageMemoryDisk disk;
  Random random(1);
  ASSERT_TRUE(finish(write_identity(disk, directory, sample())).ok());
  disk.crash(Keep::synced, random);
  const Result<Identity> identity = finish(read_identity(disk, directory));
  ASSERT_TRUE(identity.ok());
  EXPECT_EQ(*identity, sample());
}

TEST(IdentityFile, AnEmptyDirectoryIsNotFound) {
  PageMemoryDisk disk;
  EXPECT_EQ(kind_of(finish(read_identity(disk, directory))), ErrorKind::not_found);
}

TEST(IdentityFile, ADamagedFileIsNamed) {
  PageMemoryDisk disk;
  ASSERT_TRUE(finish(write_identity(disk, directory, sample())).ok());
  disk.flip(path, 700);
  const Result<Identity> identity = finish(read_identity(disk, directory));
  ASSERT_EQ(kind_of(identity), ErrorKind::identity);
  EXPECT_NE(identity.error().message.find(path), std::string::npos);
}

TEST(IdentityFile, ACrashAtEveryOperationLeavesTheOldIdentityOrTheNew) {
  Identity newer = sample();
  newer.signature.bytes.fill(std::byte{9});
  for (const Keep keep : every_keep) {
    bool written = false;
    for (std::uint64_t operation = 0; !written; ++operation) {
      PageMemoryDisk disk;
      Random random(operation);
      ASSERT_TRUE(finish(write_identity(disk, directory, sample())).ok());
      disk.fail_from(operation);
      written = finish(write_identity(disk, directory, newer)).ok();
      disk.crash(keep, random);
      const Result<Identity> identity = finish(read_identity(disk, directory));
      ASSERT_TRUE(identity.ok());
      ASSERT_TRUE(*identity == newer || (!written && *identity == sample()));
      ASSERT_TRUE(finish(write_identity(disk, directory, newer)).ok()) << "what the crash left beside it is in the way";
    }
  }
}

TEST(IdentityCheck, NamesTheFirstFieldThatDiffers) {
  EXPECT_TRUE(check_identity(sample(), sample(), directory).ok());
  Identity found = sample();
  found.database = "stock";
  found.kind = "pages";
  const Result<void> checked = check_identity(sample(), found, directory);
  ASSERT_EQ(kind_of(checked), ErrorKind::identity);
  EXPECT_EQ(checked.error().message, "/var/ccr/orders/log is of another owner: database is 'stock', expected 'orders'");
}

TEST(IdentityCheck, SignaturesAreComparedWhenBothAreKnown) {
  Identity other = sample(), unknown = sample();
  other.signature.bytes[3] ^= std::byte{1};
  unknown.signature = {};
  EXPECT_EQ(kind_of(check_identity(sample(), other, directory)), ErrorKind::identity);
  EXPECT_TRUE(check_identity(sample(), unknown, directory).ok());
  EXPECT_TRUE(check_identity(unknown, sample(), directory).ok());
}

}  // namespace
}  // namespace ccr::storage::pages_identity_test
