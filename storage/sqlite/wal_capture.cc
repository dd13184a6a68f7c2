#include "storage/sqlite/wal_capture.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace ccr::storage::sqlite {
namespace {

// A file written less than this before a look at its time could be written once more without showing it: the kernel stamps files by a
// coarse clock.
constexpr std::int64_t stamp_age_min_nanoseconds = 100'000'000;

bool all_zeros(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte each) { return each == std::byte{0}; });
}

std::uint32_t change_counter_of(ByteView first_page) {
  constexpr std::size_t offset = 24;
  std::uint32_t counter = 0;
  for (std::size_t i = 0; i < 4; ++i) counter = counter << 8 | static_cast<std::uint32_t>(first_page[offset + i]);
  return counter;
}

}  // namespace

WalCapture::WalCapture(const SqliteSession& session, SourceChannel& channel, Clock& clock, std::uint32_t page_size,
                       std::function<bool()> at_boundary)
    : session_(session), channel_(channel), clock_(clock), page_size_(page_size), newest_(session, page_size), window_(session, page_size),
      at_boundary_(std::move(at_boundary)) {
  place_.shape.page_size = page_size;
  place_.file.inode = inode_of(session.path().database);
}

bool WalCapture::at(const WalIndex& index) const noexcept {
  return index.salts == place_.shape.salts && index.last_frame == place_.frame && index.change == place_.change;
}

WalCapture::Pass WalCapture::advance(const WalIndex& index, bool held) {
  if (index.salts == place_.shape.salts) return forward(index, held);
  return cross(index, held);
}

WalCapture::Pass WalCapture::forward(const WalIndex& index, bool held) {
  if (index.last_frame < place_.frame) return Pass::gap;  // published frames are gone: the index was rebuilt from a shorter WAL
  if (place_.frame == 0 && index.last_frame > 0) {
    const std::optional<WalHeader> header = wal_header(index.salts);
    if (!header) return Pass::moved_on;
    place_.shape.big_endian = header->big_endian;
    place_.checksum = header->checksum;
  }
  while (place_.frame < index.last_frame) {
    if (!window_.load(place_.frame + 1, index.last_frame)) return Pass::moved_on;
    WalDecoder decoder(place_.shape, place_.frame, place_.checksum);
    const std::uint32_t before = place_.frame;
    WalDecoder::Outcome outcome;
    while ((outcome = decoder.feed(window_.from(decoder.next_frame()), index.last_frame)) == WalDecoder::Outcome::commit) {
      if (!held && channel_.queued_bytes() > SourceChannel::queued_bytes_max / 2) return Pass::need_hold;  // it would wait for the engine
      const Pass taken = take(decoder.take_commit(), window_, true);
      if (taken != Pass::caught_up) return taken;
      if (held && place_.frame < index.last_frame && at_boundary_()) return Pass::boundary;
    }
    if (outcome == WalDecoder::Outcome::invalid) return Pass::moved_on;
    if (place_.frame != before) continue;
    if (outcome == WalDecoder::Outcome::limit || window_.from(before + 1).empty()) return Pass::moved_on;
    if (!held) return Pass::need_hold;
    const Pass taken = forward_long(decoder, index);
    if (taken != Pass::caught_up) return taken;
    if (place_.frame < index.last_frame && at_boundary_()) return Pass::boundary;
  }
  place_.change = index.change;  // the chain of checksums is the proof here; an index rebuilt meanwhile counts anew
  return Pass::caught_up;
}

// A commit that began at the window's first frame and does not end in it.
WalCapture::Pass WalCapture::forward_long(WalDecoder& decoder, const WalIndex& index) {
  for (;;) {
    if (channel_.stopped()) return Pass::stopped;
    const std::uint32_t next = decoder.next_frame();
    if (!window_.load(next, index.last_frame) || window_.from(next).empty()) return Pass::moved_on;
    const WalDecoder::Outcome outcome = decoder.feed(window_.from(next), index.last_frame);
    if (outcome == WalDecoder::Outcome::more) continue;
    if (outcome != WalDecoder::Outcome::commit) return Pass::moved_on;
    return take(decoder.take_commit(), window_, true);
  }
}

WalCapture::Pass WalCapture::cross(const WalIndex& index, bool held) {
  WalWindow tail_window(session_, page_size_, tail_bytes_max, place_.frame + 1);
  const std::vector<WalCommit> tail = read_tail(tail_window);
  const std::optional<Walked> current = walk(index.salts, index.last_frame, nullptr);
  if (!current) return Pass::moved_on;
  const std::optional<std::uint32_t> proven =
      tail_commits_proven(index.change - place_.change, current->commits, static_cast<std::uint32_t>(tail.size()));
  if (!proven) return Pass::gap;
  newest_.clear();  // all of the old filling is in the file
  for (std::uint32_t i = 0; i < *proven; ++i) {
    const Pass taken = take(tail[i], tail_window, false);
    if (taken != Pass::caught_up) return taken;
  }
  enter_wal(index);
  return forward(index, held);
}

// By small steps, since the writer is filling the WAL again from its start while this reads: making room for all that the file could hold
// took as long as a fast writer needs to come here.
std::vector<WalCommit> WalCapture::read_tail(WalWindow& window) const {
  std::vector<WalCommit> tail;
  if (place_.frame == 0) return tail;
  WalDecoder decoder(place_.shape, place_.frame, place_.checksum);
  WalDecoder::Outcome outcome = WalDecoder::Outcome::more;
  while (outcome == WalDecoder::Outcome::more && window.extend(tail_step_bytes)) {
    while ((outcome = decoder.feed(window.from(decoder.next_frame()), std::numeric_limits<std::uint32_t>::max())) == WalDecoder::Outcome::commit) {
      tail.push_back(decoder.take_commit());
    }
  }
  return tail;
}

void WalCapture::enter_wal(const WalIndex& index) {
  newest_.clear();
  place_.shape.salts = index.salts;
  place_.frame = 0;
  place_.checksum = {};
}

WalCapture::Pass WalCapture::take(const WalCommit& commit, WalWindow& window, bool in_current_wal) {
  const std::vector<PageFrame> images = images_of(commit);
  const SqliteCursor before = place_;
  if (in_current_wal) newest_.note(commit);
  view_in_file_ = false;
  place_.frame = commit.last_frame;
  place_.checksum = commit.checksum;
  place_.page_count = commit.page_count;
  ++place_.change;
  if (delivering_) {
    in_hand_from_ = before.shape.salts == place_.shape.salts ? before.frame : 0;
    const Pass delivered = deliver(RecordKind::commit, images, &window);
    in_hand_from_.reset();
    if (delivered == Pass::moved_on) place_ = before;
    return delivered;
  }
  for (const PageFrame& each : images) touch(each.page);
  return Pass::caught_up;
}

// The pages that the transaction wrote, and those by which it made the database longer without writing them: they hold zeros, or what the
// file held there before it was shorter.
std::vector<PageFrame> WalCapture::images_of(const WalCommit& commit) {
  std::vector<PageFrame> images;
  images.reserve(commit.pages.size());
  std::vector<PageNumber> written_beyond;
  const PageNumber locked = lock_page(page_size_);
  for (const PageFrame& each : commit.pages) {
    if (each.page == locked) continue;
    images.push_back(each);
    if (each.page > place_.page_count) written_beyond.push_back(each.page);
  }
  if (commit.page_count <= place_.page_count || written_beyond.size() == commit.page_count - place_.page_count) return images;
  std::sort(written_beyond.begin(), written_beyond.end());
  Bytes image(page_size_);
  for (PageNumber page = place_.page_count + 1; page <= commit.page_count; ++page) {
    if (page == locked || std::binary_search(written_beyond.begin(), written_beyond.end(), page)) continue;
    if (newest_.read(page, place_.shape.salts, image) && !all_zeros(image)) images.push_back({page, 0});
  }
  return images;
}

void WalCapture::touch(PageNumber page) {
  if (page >= touched_.size()) touched_.resize(page + 1);
  touched_[page] = true;
}

WalCapture::Pass WalCapture::deliver(RecordKind kind, const std::vector<PageFrame>& images, WalWindow* window) {
  ImageBatch batch;
  batch.head = SourceCommit{kind, clock_.wall_now(), place_.page_count, static_cast<std::uint32_t>(images.size()), encode_cursor(place_)};
  const std::size_t per_batch = std::max<std::size_t>(1, ImageBatch::batch_bytes_max / page_size_);
  std::size_t next = 0;
  do {
    const std::size_t count = std::min(per_batch, images.size() - next);
    batch.bytes = count * page_size_;
    batch.images.reset(new std::byte[batch.bytes]);  // not zeroed: every byte is written below
    for (std::size_t i = 0; i < count; ++i) {
      const ByteSpan into(batch.images.get() + i * page_size_, page_size_);
      // Nothing was said of this commit yet: the proofs will judge what is there instead.
      if (!copy_image(images[next + i], window, into)) return next == 0 && window != nullptr ? Pass::moved_on : Pass::torn;
      if (images[next + i].page == 1) place_.change_counter = change_counter_of(into);
      batch.pages.push_back(images[next + i].page);
    }
    const bool first = next == 0;
    next += count;
    if (channel_.push(std::exchange(batch, ImageBatch{}))) continue;
    if (channel_.stopped()) return Pass::stopped;
    return first ? Pass::gap : Pass::torn;
  } while (next < images.size());
  return Pass::caught_up;
}

bool WalCapture::copy_image(const PageFrame& image, WalWindow* window, ByteSpan into) {
  if (image.frame == 0) return newest_.read(image.page, place_.shape.salts, into);
  if (!window->holds(image.frame)) {
    // Read a second time: still what was decoded as long as no reset has been published, which comes before a frame is overwritten.
    if (!window->load(image.frame, place_.frame) || !window->holds(image.frame)) return false;
    const std::optional<WalIndex> index = session_.look();
    if (index && index->salts != place_.shape.salts) return false;
  }
  const ByteView page = window->page(image.frame);
  std::memcpy(into.data(), page.data(), page.size());
  return true;
}

void WalCapture::open_view(const WalIndex& index, Hold hold) {
  CCR_ASSERT(hold == Hold::mark || (hold == Hold::slot_zero && at(index)));
  view_ = index;
  view_in_file_ = at(index) && index.fully_backfilled();
  newest_.read_file_only(hold == Hold::slot_zero);
}

void WalCapture::end_view() {
  view_.reset();
  view_in_file_ = false;
  newest_.read_file_only(false);
}

bool WalCapture::answer(const ReadRequest& request) {
  SourcePages answer;
  answer.request = request.request;
  answer.first = request.first;
  answer.page_count = place_.page_count;
  if (request.first >= 1 && request.first <= place_.page_count) {
    answer.count = std::min(request.count, place_.page_count - request.first + 1);
    answer.images = AlignedBuffer(std::size_t(answer.count) * page_size_, AlignedBuffer::Content::any);
    if (!newest_.read_range(request.first, answer.count, place_.shape.salts, answer.images.span())) return false;
  }
  return channel_.push(std::move(answer));
}

WalCapture::Pass WalCapture::rejoin(const RejoinRequest& request) {
  if (!request.base_only) {
    for (const PageNumber page : request.pages) touch(page);
  }
  std::vector<PageFrame> images;
  const PageNumber end = std::min<PageNumber>(place_.page_count, touched_.empty() ? 0 : static_cast<PageNumber>(touched_.size() - 1));
  for (PageNumber page = 1; page <= end; ++page) {
    if (touched_[page] && page != lock_page(page_size_)) images.push_back({page, 0});
  }
  if (const std::optional<FileFacts> facts = facts_of(session_.path().database)) {
    place_.file = *facts;
    const bool stamp_settled = clock_.wall_now().nanoseconds - facts->modified_nanoseconds >= stamp_age_min_nanoseconds;
    place_.file_complete = view_in_file_ && stamp_settled;
  }
  const Pass delivered = deliver(request.base_only ? RecordKind::base_marker : RecordKind::catch_up, images, nullptr);
  place_.file_complete = false;  // the next commit is not in the file
  if (delivered != Pass::caught_up) return delivered;
  delivering_ = true;
  touched_.clear();
  touched_.shrink_to_fit();
  return Pass::caught_up;
}

}  // namespace ccr::storage::sqlite
