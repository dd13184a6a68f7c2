#include "tools/generation_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/amounts.h"
#include "tools/text_table.h"

namespace ccr::tools {
namespace {

using nlohmann::json;
using storage::ChainLink;
using storage::GenerationFacts;
using storage::RecordHeader;
using storage::RecordKind;

const char* name_of(RecordKind kind) noexcept {
  switch (kind) {
    case RecordKind::commit:
      return "commit";
    case RecordKind::catch_up:
      return "catch_up";
    case RecordKind::base_marker:
      return "base_marker";
  }
  return "unknown";
}

std::string time_text(WallTime time) { return time.known() ? to_rfc3339(time) : "?"; }

json time_json(WallTime time) {
  if (!time.known()) return nullptr;
  return to_rfc3339(time);
}

json record_json(const RecordHeader& record) {
  return {{"commit", record.number},
          {"kind", name_of(record.kind)},
          {"images", record.images},
          {"page_count", record.page_count},
          {"time", time_json(record.wall)}};
}

json link_json(const ChainLink& link) {
  return {{"generation", link.generation.number},
          {"epoch", link.epoch},
          {"bytes", link.bytes},
          {"sealed", link.sealed},
          {"digest", link.digest.text()}};
}

}  // namespace

std::string generation_text(const GenerationFacts& facts, const std::string& file) {
  const storage::GenerationHeader& header = facts.header;
  std::string text = fmt::format("generation {}   {}   epoch {}   {}   {}\n", to_hex(header.generation.number),
                                 facts.seal ? "sealed" : "open", header.epoch, size_text(facts.link.bytes), escaped(file));
  text += fmt::format("signature  {}\nprevious   {}\ndigest     {}\n", header.signature.text(), header.previous.text(),
                      facts.link.digest.text());
  text += fmt::format("created    {}   page size {}   blocks {}   records {}\n", time_text(header.created), header.page_size,
                      facts.blocks, facts.records_total);
  if (facts.seal) {
    text += fmt::format("seal       last commit {}   root {}   pages {}\n", facts.seal->last_commit, to_hex(facts.seal->root, 16),
                        facts.seal->page_count);
  }
  if (facts.records.empty()) return text;
  TextTable table({"COMMIT", "KIND", "IMAGES", "PAGES", "TIME"});
  for (const RecordHeader& record : facts.records) {
    TextTable::Row row;
    const std::vector<std::string> cells{std::to_string(record.number), name_of(record.kind), std::to_string(record.images),
                                         std::to_string(record.page_count), time_text(record.wall)};
    for (const std::string& cell : cells) row.cells.push_back({cell, Style::none});
    table.add(std::move(row));
  }
  text += table.text(false);
  if (facts.records_total > facts.records.size()) text += fmt::format("… {} more\n", facts.records_total - facts.records.size());
  return text;
}

json generation_json(const GenerationFacts& facts, const std::string& file) {
  const storage::GenerationHeader& header = facts.header;
  json seal = nullptr;
  if (facts.seal) {
    seal = {
        {"last_commit", facts.seal->last_commit}, {"root", to_hex(facts.seal->root, 16)}, {"page_count", facts.seal->page_count}};
  }
  json records = json::array();
  for (const RecordHeader& record : facts.records) records.push_back(record_json(record));
  json out = link_json(facts.link);
  out.update({{"schema", 1},
              {"file", file},
              {"signature", header.signature.text()},
              {"previous", header.previous.text()},
              {"created", time_json(header.created)},
              {"page_size", header.page_size},
              {"generation_bytes", header.generation_bytes},
              {"first_commit", header.first_commit},
              {"blocks", facts.blocks},
              {"seal", std::move(seal)},
              {"records_total", facts.records_total},
              {"records", std::move(records)}});
  return out;
}

std::string chain_text(const std::vector<ChainLink>& chain, const std::string& directory) {
  CCR_ASSERT(!chain.empty());
  std::uint64_t bytes = 0;
  for (const ChainLink& link : chain) bytes += link.bytes;
  return fmt::format("{}: {} generation{}, {} to {}{}, {}: every block, seal and link holds\n", escaped(directory), chain.size(),
                     chain.size() == 1 ? "" : "s", to_text(chain.front().generation), to_text(chain.back().generation),
                     chain.back().sealed ? "" : " (open)", size_text(bytes));
}

json chain_json(const std::vector<ChainLink>& chain, const std::string& directory) {
  json generations = json::array();
  for (const ChainLink& link : chain) generations.push_back(link_json(link));
  return {{"schema", 1}, {"ok", true}, {"directory", directory}, {"generations", std::move(generations)}};
}

}  // namespace ccr::tools
