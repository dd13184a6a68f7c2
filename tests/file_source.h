// FileSource plays SQLite and the program that uses it in the simulator: the database is a file of its node's disk without a WAL, read when the
// source opens and written, synced, with each commit. Desk is what the test and all nodes share: who has it open, where it is made, what was written.
//
// Threads: one. Lifetime: the desk outlives the nodes.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/programs.h"
#include "base/signal.h"
#include "engine/node_context.h"
#include "storage/log_source.h"

namespace ccr::storage::test {

class FileSource;

struct Desk final : Programs {
  static constexpr std::uint32_t page_bytes = 512;
  static constexpr PageNumber pages = 40;
  std::string made_at = "alpha";             // until it is there
  std::string open_in;                       // the process that has the file open; empty: none
  std::map<std::string, FileSource*> sources;  // of each node
  std::map<PageNumber, std::byte> written;   // by commits that a source has handed out
  std::map<std::string, bool> running;       // the application, by its commands
  std::vector<std::string> commands;
  std::string fails;                         // this command
  Duration takes{};                          // each "stop"

  Task<Result<void>> run(ProgramCall call) override;
};

class FileSource final : public LogSource {
 public:
  FileSource(engine::NodeContext& context, std::string path, Desk& desk)
      : context_(context), path_(std::move(path)), desk_(desk), changed_(context.executor) {
    desk_.sources[context_.config.node] = this;
  }
  ~FileSource() override {
    const auto found = desk_.sources.find(context_.config.node);
    if (found != desk_.sources.end() && found->second == this) desk_.sources.erase(found);
  }

  Clock& clock() const { return context_.clock; }
  void write(PageNumber page, std::byte content) { push(Commit{RecordKind::commit, {page}, content}); }
  std::byte content(PageNumber page) const { return model_.at(page - 1); }

  std::uint32_t page_size() const override { return Desk::page_bytes; }
  Task<Result<SourceItem>> next() override {
    if (!file_) {
      const Result<void> opened = co_await open();
      if (!opened.ok()) co_return opened.error();
      co_return SourceItem(SourceStanding{SourceStanding::Kind::lost, "first_start", "", ""});
    }
    while (pieces_.empty()) co_await changed_.wait();
    Piece piece = std::move(pieces_.front());
    pieces_.pop_front();
    if (auto* item = std::get_if<std::shared_ptr<SourceItem>>(&piece)) co_return std::move(**item);
    current_ = std::get<Commit>(piece);
    next_image_ = 0;
    for (const PageNumber page : current_.pages) {
      if (current_.kind != RecordKind::commit) continue;
      model_.at(page - 1) = desk_.written[page] = current_.content;
      const Bytes image = image_of(page);
      CCR_CO_TRY(co_await file_->write_at(std::uint64_t(page - 1) * Desk::page_bytes, image));
      CCR_CO_TRY(co_await file_->sync());
    }
    co_return SourceItem(SourceCommit{current_.kind, context_.clock.wall_now(), Desk::pages, static_cast<std::uint32_t>(current_.pages.size()), {}});
  }
  Task<Result<std::span<const Page>>> next_pages() override {
    const PageNumber page = current_.pages.at(next_image_++);
    image_ = image_of(page);
    page_ = Page{page, image_};
    co_return std::span<const Page>(&page_, 1);
  }
  bool ready() const override { return file_ != nullptr && !pieces_.empty(); }
  void settled(const SourceCursor&) override {}
  void read_pages(std::uint64_t request, PageNumber first, std::uint32_t count) override {
    SourcePages answer;
    answer.request = request;
    answer.first = first;
    answer.page_count = Desk::pages;
    answer.count = first > Desk::pages ? 0 : std::min(count, Desk::pages - first + 1);
    answer.images = AlignedBuffer(std::size_t(answer.count) * Desk::page_bytes);
    for (std::uint32_t i = 0; i < answer.count; ++i) {
      const Bytes image = image_of(first + i);
      std::copy(image.begin(), image.end(), answer.images.span().begin() + std::ptrdiff_t(i) * Desk::page_bytes);
    }
    push(std::make_shared<SourceItem>(std::move(answer)));
  }
  void catch_up(std::vector<PageNumber> some) override { make_good({RecordKind::catch_up, std::move(some), {}}); }
  void base() override { make_good({RecordKind::base_marker, {}, {}}); }
  void part() override {
    Result<void> outcome;
    if (!desk_.open_in.empty()) outcome = Error{ErrorKind::refused, path_ + " is open in " + desk_.open_in, ""};
    push(std::make_shared<SourceItem>(SourceParted{std::move(outcome)}));
  }
  Gauges gauges() const override { return {}; }
  Task<void> close() override { co_return; }

 private:
  struct Commit {
    RecordKind kind = RecordKind::commit;
    std::vector<PageNumber> pages;
    std::byte content{};
  };
  using Piece = std::variant<Commit, std::shared_ptr<SourceItem>>;

  Task<Result<void>> open() {
    const bool make = desk_.made_at == context_.config.node;
    for (;;) {
      Result<std::unique_ptr<File>> file = co_await context_.disk.open(path_, make ? OpenMode::create : OpenMode::read_write);
      if (!file.ok() && file.error().kind != ErrorKind::not_found) co_return file.error();
      if (file.ok()) {
        file_ = std::move(*file);
        break;
      }
      co_await context_.clock.sleep(std::chrono::seconds(1));
    }
    Bytes all(std::size_t(Desk::pages) * Desk::page_bytes);
    if (make) {
      CCR_CO_TRY(co_await file_->write_at(0, all));
      CCR_CO_TRY(co_await file_->sync());
      CCR_CO_TRY(co_await context_.disk.sync_directory("/data"));
      desk_.made_at.clear();
    }
    const Result<std::size_t> got = co_await file_->read_at(0, all);
    if (!got.ok()) co_return got.error();
    CCR_ASSERT(*got == all.size());
    for (PageNumber page = 1; page <= Desk::pages; ++page) model_.push_back(all[std::size_t(page - 1) * Desk::page_bytes]);
    co_return Result<void>();
  }
  Bytes image_of(PageNumber page) const { return Bytes(Desk::page_bytes, model_.at(page - 1)); }
  void make_good(Commit commit) {
    push(std::move(commit));
    push(std::make_shared<SourceItem>(SourceStanding{SourceStanding::Kind::serving, "", "", ""}));
  }
  void push(Piece piece) {
    pieces_.push_back(std::move(piece));
    changed_.notify();
  }

  engine::NodeContext& context_;
  std::string path_;
  Desk& desk_;
  Signal changed_;
  std::unique_ptr<File> file_;
  std::vector<std::byte> model_;  // a page is one byte, again and again
  std::deque<Piece> pieces_;
  Commit current_;
  std::size_t next_image_ = 0;
  Bytes image_;
  Page page_;
};

inline Task<Result<void>> Desk::run(ProgramCall call) {
  std::string node;
  for (const auto& [name, value] : call.environment)
    if (name == "CCR_NODE") node = value;
  commands.push_back(node + " " + call.command);
  if (call.command == fails) co_return Error{ErrorKind::refused, "the command ended with status 7", ""};
  if (call.command == "stop" && takes > Duration::zero()) co_await sources.at(node)->clock().sleep(takes);
  running[node] = call.command == "start";
  co_return Result<void>();
}

}  // namespace ccr::storage::test
