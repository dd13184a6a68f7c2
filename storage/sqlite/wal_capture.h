// WalCapture follows one database from commit to commit: what it finds in the WAL becomes pieces for the engine, in order.
//
// A turn: the session holds off resets or it does not (`held`), the wal-index was looked at; advance() takes every commit up to that look.
//   1. Same salts as before: the frames behind our place, up to the published last frame, are whole commits.
//   2. Other salts: the WAL was reset. Commits that we had not seen still lie behind the new frames with the old salts (read into memory at
//      once: a writer is overwriting them); the growth of iChange minus the commits of the new filling says how many of them are real.
//      If some are missing, continuity is lost.
// While it is lost, commits are captured all the same, but only the numbers of their pages are kept (one bit a page), until rejoin().
//
// Threads: the worker's. Lifetime: session and channel outlive it; a new session means a new capture, resumed by cursor().
// Bounds: one window of the WAL, a tail of tail_bytes_max, 8 bytes for each page of a transaction, the map of NewestPages.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "storage/sqlite/newest_pages.h"
#include "storage/sqlite/source_channel.h"
#include "storage/sqlite/sqlite_cursor.h"
#include "storage/sqlite/sqlite_session.h"
#include "storage/sqlite/wal_window.h"

namespace ccr::storage::sqlite {

class WalCapture {
 public:
  static constexpr std::size_t tail_bytes_max = 32 * MiB;
  static constexpr std::size_t tail_step_bytes = 256 * KiB;

  enum class Pass : std::uint8_t {
    caught_up,  // everything up to the look is captured
    need_hold,  // a commit longer than the window, or an engine to wait for: take an anchor, look again, advance again
    moved_on,   // the WAL is not as the look said: look again
    boundary,   // the worker wanted to be called between two commits
    gap,        // commits are missing, or one could not be delivered that the channel did not wait for: lose()
    torn,       // a commit is half delivered, and the rest is not to be had: the WAL was reset under it, against our hold, or the channel did not
                // wait for it; the source must be opened anew
    stopped,    // the channel was closed
  };

  // `at_boundary` is asked behind every commit that is taken under a hold: true ends the pass there.
  WalCapture(const SqliteSession& session, SourceChannel& channel, Clock& clock, std::uint32_t page_size, std::function<bool()> at_boundary);

  // Where to start, under a mark: resume() judges a cursor against what is there; lose() takes the present for the place, and says
  // moved_on when the WAL is not as the look said.
  ResumeVerdict resume(const std::optional<SqliteCursor>& cursor, const WalIndex& index);
  Pass lose(const WalIndex& index);

  Pass advance(const WalIndex& index, bool held);
  bool at(const WalIndex& index) const noexcept;
  bool lost() const noexcept { return !delivering_; }

  // A view is opened under a mark with the look that followed it, and holds as long as that mark. The file stands still at the mark or before
  // it, so pages are exact at every place behind that look, not only at the last one: reads need not wait for a backlog. Under slot 0 they are
  // exact at that look alone.
  void open_view(const WalIndex& index, Hold hold);
  void end_view();
  bool view_open() const noexcept { return view_.has_value(); }
  bool in_view() const noexcept { return view_ && view_->salts == place_.shape.salts && view_->last_frame <= place_.frame; }
  // Both want to be in a view.
  bool answer(const ReadRequest& request);
  Pass rejoin(const RejoinRequest& request);

  const SqliteCursor& cursor() const noexcept { return place_; }
  WalSalts salts() const noexcept { return place_.shape.salts; }
  std::uint32_t frame() const noexcept { return place_.frame; }
  std::uint32_t taken_frame() const noexcept { return in_hand_from_.value_or(place_.frame); }  // not before a commit in hand was taken whole
  void set_change_counter(std::uint32_t counter) noexcept { place_.change_counter = counter; }

 private:
  Pass forward(const WalIndex& index, bool held);
  Pass forward_long(WalDecoder& decoder, const WalIndex& index);
  Pass cross(const WalIndex& index, bool held);
  Pass take(const WalCommit& commit, WalWindow& window, bool in_current_wal);
  std::vector<PageFrame> images_of(const WalCommit& commit);
  Pass deliver(RecordKind kind, const std::vector<PageFrame>& images, WalWindow* window);
  bool copy_image(const PageFrame& image, WalWindow* window, ByteSpan into);
  void touch(PageNumber page);

  std::vector<WalCommit> read_tail(WalWindow& window) const;
  void enter_wal(const WalIndex& index);  // place at frame 0 of the present filling
  // From frame 1 to `last_frame`, which must end a commit. nullopt: the WAL does not hold that.
  struct Walked {
    std::uint32_t commits = 0;
    WalChecksum checksum;
    bool big_endian = false;
  };
  std::optional<Walked> walk(WalSalts salts, std::uint32_t last_frame, NewestPages* note);
  std::optional<WalHeader> wal_header(WalSalts salts) const;
  bool frame_left(const SqliteCursor& cursor) const;
  ResumeFacts resume_facts(const std::optional<SqliteCursor>& cursor, const WalIndex& index);
  PageNumber page_count_of(const WalIndex& index) const;

  const SqliteSession& session_;
  SourceChannel& channel_;
  Clock& clock_;
  std::uint32_t page_size_;
  SqliteCursor place_;  // behind the last captured commit
  NewestPages newest_;
  WalWindow window_;
  bool delivering_ = false;
  std::optional<std::uint32_t> in_hand_from_;  // the place before a commit that is being delivered
  std::function<bool()> at_boundary_;
  std::optional<WalIndex> view_;
  bool view_in_file_ = false;  // all of the view is in the file, and nothing was captured since
  std::vector<bool> touched_;
};

}  // namespace ccr::storage::sqlite
