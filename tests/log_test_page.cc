// The worked example of storage/README.md, read from the page itself: what the page says is what the code does.
#include <fstream>
#include <sstream>

#include "storage/generation_scan.h"
#include "tests/log_support.h"

namespace ccr::storage {
namespace {

using namespace test;

// The fenced block ```hexdump: lines of offset and 16 bytes; a * stands for lines of zeros; the last line is the length.
Bytes example_of_the_page() {
  std::ifstream page(std::string(CCR_SOURCE_DIR) + "/storage/README.md");
  EXPECT_TRUE(page.good());
  Bytes bytes;
  std::string line;
  while (std::getline(page, line) && line != "```hexdump") continue;
  while (std::getline(page, line) && line != "```") {
    if (line == "*") continue;
    std::istringstream words(line.substr(0, line.find('|')));
    std::size_t offset = 0;
    words >> std::hex >> offset;
    bytes.resize(offset);
    unsigned byte = 0;
    while (words >> std::hex >> byte) bytes.push_back(std::byte(byte));
  }
  return bytes;
}

Result<GenerationScan> scan_of(const Bytes& bytes, std::vector<RecordHeader>* records = nullptr) {
  GenerationScan scan{GenerationScan::Expected{}};
  for (std::size_t at = 0; at + block_bytes <= bytes.size(); at += block_bytes) CCR_TRY(scan.take(ByteView(bytes).subspan(at, block_bytes), records));
  return scan;
}

TEST(FormatPage, ItsExampleIsAValidGenerationThatHoldsWhatThePageSays) {
  const Bytes bytes = example_of_the_page();
  ASSERT_EQ(bytes.size(), 12288u);
  std::vector<RecordHeader> records;
  const Result<GenerationScan> scan = scan_of(bytes, &records);
  ASSERT_OK(scan);
  EXPECT_EQ(scan->header().signature, signature_a);
  EXPECT_EQ(scan->header().generation.number, 1u);
  EXPECT_EQ(scan->header().epoch, 1u);
  EXPECT_EQ(scan->header().page_size, 512u);
  EXPECT_EQ(scan->header().generation_bytes, 1 * MiB);
  EXPECT_EQ(scan->header().first_commit, 1u);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].images, 1u);
  EXPECT_EQ(records[0].page_count, 3u);
  const Result<Block> block = decode_block(signature_a, {1}, 1, ByteView(bytes).subspan(4096, 4096));
  ASSERT_OK(block);
  EXPECT_EQ(block->payload.size(), 644u);
  EXPECT_EQ(block->first_record, 0u);
  EXPECT_EQ(block->durable, Position::start_of({1}));
  EXPECT_EQ(to_text(block->payload.subspan(132, 13)), "hello, page 2");
  ASSERT_TRUE(scan->sealed());
  EXPECT_EQ(scan->seal().last_commit, 1u);
  EXPECT_EQ(scan->seal().root, 0x0123456789abcdefu);
  EXPECT_EQ(scan->seal().page_count, 3u);
  EXPECT_EQ(scan->position(), Position::start_of({2}));
  EXPECT_EQ(scan->link().digest.text(), "3cd748354c8ac25adb62a5919ba9affa");
}

TEST(FormatPage, ItsFaultsAreFoundWithTheMessagesItNames) {
  const struct {
    std::size_t at;
    const char* message;
  } faults[] = {
      {0x10d0, "generation 1 block 1: checksum 149a056e462ff8b8 (expected "},
      {0x1010, "generation 1 block 1: checksum 149a056e462ff8b8 (expected "},
      {0x2030, "generation 1 block 2 (seal): checksum 08d95d791f1fcd22 (expected "},
      {0x0018, "generation header: checksum d714f8eaacdce86d (expected "},
  };
  for (const auto& fault : faults) {
    Bytes bytes = example_of_the_page();
    bytes[fault.at] ^= std::byte{1};
    const Result<GenerationScan> scan = scan_of(bytes);
    ASSERT_FALSE(scan.ok());
    EXPECT_TRUE(scan.error().message.starts_with(fault.message)) << scan.error().message;
  }
}

}  // namespace
}  // namespace ccr::storage
