// ScriptedSource plays an SQLite file that programs write: a model of pages in memory, handed to the engine as commits, losses and answers.
//
// The test changes the model (write) or breaks the source (tear); the engine takes what follows from it in order. Threads: one.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/signal.h"
#include "storage/log_source.h"

namespace ccr::storage::test {

class ScriptedSource final : public LogSource {
 public:
  static constexpr std::uint32_t page_bytes = 512;
  using Model = std::vector<Bytes>;  // index: page - 1

  ScriptedSource(const Executor& executor, Clock& clock, Model& model, std::string reason) : clock_(clock), model_(model), changed_(executor) {
    push(SourceStanding{SourceStanding::Kind::lost, std::move(reason), "told by the test", ""});
  }

  void write(const std::vector<PageNumber>& pages, std::byte content) {
    for (const PageNumber page : pages) model_.at(page - 1).assign(page_bytes, content);
    push(commit_of(RecordKind::commit, pages));
  }
  // A commit whose second half cannot be had.
  void tear(const std::vector<PageNumber>& pages) {
    Commit torn = commit_of(RecordKind::commit, pages);
    torn.readable = pages.size() / 2;
    push(std::move(torn));
  }

  std::uint32_t page_size() const override { return page_bytes; }
  Task<Result<SourceItem>> next() override {
    while (pieces_.empty()) co_await changed_.wait();
    Piece piece = std::move(pieces_.front());
    pieces_.pop_front();
    if (auto* pages = std::get_if<SourcePages>(&piece)) co_return SourceItem(std::move(*pages));
    if (auto* standing = std::get_if<SourceStanding>(&piece)) co_return SourceItem(std::move(*standing));
    current_ = std::move(std::get<Commit>(piece));
    next_image_ = 0;
    co_return SourceItem(current_.head);
  }
  Task<Result<std::span<const Page>>> next_pages() override {
    if (next_image_ == current_.readable) co_return Error{ErrorKind::gap, "torn by the test", ""};
    const auto& image = current_.images.at(next_image_++);
    page_ = Page{image.first, ByteView(image.second)};
    co_return std::span<const Page>(&page_, 1);
  }
  bool ready() const override { return !pieces_.empty(); }
  void settled(const SourceCursor&) override {}
  void read_pages(std::uint64_t request, PageNumber first, std::uint32_t count) override {
    SourcePages answer;
    answer.request = request;
    answer.first = first;
    answer.page_count = static_cast<PageNumber>(model_.size());
    answer.count = first > answer.page_count ? 0 : std::min(count, answer.page_count - first + 1);
    answer.images = AlignedBuffer(std::size_t(answer.count) * page_bytes);
    for (std::uint32_t i = 0; i < answer.count; ++i) {
      const Bytes& image = model_[first - 1 + i];
      std::copy(image.begin(), image.end(), answer.images.span().begin() + std::ptrdiff_t(i) * page_bytes);
    }
    push(std::move(answer));
  }
  void catch_up(std::vector<PageNumber> pages) override { make_good(commit_of(RecordKind::catch_up, pages)); }
  void base() override { make_good(commit_of(RecordKind::base_marker, {})); }
  Gauges gauges() const override { return told; }
  Task<void> close() override { co_return; }

  Gauges told;

 private:
  struct Commit {
    SourceCommit head;
    std::vector<std::pair<PageNumber, Bytes>> images;
    std::size_t readable = 0;
  };
  using Piece = std::variant<Commit, SourcePages, SourceStanding>;

  Commit commit_of(RecordKind kind, const std::vector<PageNumber>& pages) const {
    Commit commit;
    commit.head = {kind, clock_.wall_now(), static_cast<PageNumber>(model_.size()), static_cast<std::uint32_t>(pages.size()), SourceCursor{}};
    for (const PageNumber page : pages) commit.images.emplace_back(page, model_.at(page - 1));
    commit.readable = pages.size();
    return commit;
  }
  void make_good(Commit commit) {
    push(std::move(commit));
    push(SourceStanding{SourceStanding::Kind::serving, "", "", ""});
  }
  void push(Piece piece) {
    pieces_.push_back(std::move(piece));
    changed_.notify();
  }

  Clock& clock_;
  Model& model_;
  Signal changed_;
  std::deque<Piece> pieces_;
  Commit current_;
  std::size_t next_image_ = 0;
  Page page_;
};

}  // namespace ccr::storage::test
