// SourceChannel is the bounded queue between a source's worker thread and the engine's thread: pieces one way, requests the other.
//
// push() waits while more than queued_bytes_max are queued, which is how a slow engine slows the capture; answers to page reads and
// standings pass without waiting (there are at most reads_in_flight_max of the former). After stop() push() says false and nothing waits; and where
// the worker waits no longer (while_full).
// Each piece carries the age of what is in it (stamp), so that a commit that waits here is not taken for one that arrived.
// take() is the engine's: nullopt when nothing is queued, and then `notify` is called (on the worker) once something is.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "storage/log_source.h"

namespace ccr::storage::sqlite {

// A share of a commit's images, at most batch_bytes_max; the first one carries the commit.
struct ImageBatch {
  static constexpr std::size_t batch_bytes_max = 256 * KiB;
  std::optional<SourceCommit> head;
  std::vector<PageNumber> pages;
  std::unique_ptr<std::byte[]> images;
  std::size_t bytes = 0;
};

using SourcePiece = std::variant<ImageBatch, SourcePages, SourceStanding, SourceParted, Error>;

struct ReadRequest {
  std::uint64_t request = 0;
  PageNumber first = 0;
  std::uint32_t count = 0;
};

// Ends `lost`. `losses` tells which of several the engine means: another gap may have been found since it asked.
struct RejoinRequest {
  std::uint64_t losses = 0;
  bool base_only = false;
  std::vector<PageNumber> pages;
};

struct PartRequest {};

using SourceRequest = std::variant<ReadRequest, RejoinRequest, PartRequest>;

class SourceChannel {
 public:
  static constexpr std::size_t queued_bytes_max = 4 * MiB;

  static constexpr std::chrono::milliseconds room_tick{100};

  SourceChannel(std::function<void()> notify, std::function<void()> wake_worker);

  // The worker's side.
  // Called each room_tick while push() waits; false: it waits no longer, and nothing was pushed.
  void while_full(std::function<bool()> goes_on) { while_full_ = std::move(goes_on); }
  void stamp(Instant since) { since_ = since; }  // what is pushed from now on was not committed before; 0: as of the push
  bool push(SourcePiece piece);
  bool take_request(SourceRequest& into);  // false: none is waiting
  bool reads_wait() const;  // a request is waiting, or an answer that the engine has not taken yet
  bool has_request() const;
  bool stopped() const;
  void ended();  // the worker's last call

  // The engine's side.
  std::optional<SourcePiece> take();
  void request(SourceRequest request);
  void stop();
  bool worker_ended() const;
  std::size_t queued_bytes() const;
  Instant oldest() const;  // the stamp of the first commit that is queued; 0: none

 private:
  std::function<void()> notify_;
  std::function<void()> wake_worker_;
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::function<bool()> while_full_;
  Instant since_;  // the worker's
  struct Queued {
    SourcePiece piece;
    Instant since;
  };
  std::deque<Queued> pieces_;
  std::deque<SourceRequest> requests_;
  std::size_t queued_bytes_ = 0;
  std::size_t answers_ = 0;  // among pieces_
  bool engine_waits_ = false;
  bool stopped_ = false;
  bool ended_ = false;
};

}  // namespace ccr::storage::sqlite
