// LogSource is where an active copy's commits come from; ReplayTarget is where a passive copy's pages go.
//
// A source delivers items in one order: commits, and the page reads that were asked for, each read exact as of the commits delivered
// before it. So a digest compare, an extent of a seed and a scrub of the active file need no lock and give no false alarm.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/task.h"
#include "storage/log_format.h"
#include "storage/log_reader.h"

namespace ccr::storage {

// One commit. Its pages are pulled some at a time, in any order of page number, each page once; they must be taken to the end before next() is called.
struct SourceCommit {
  RecordKind kind = RecordKind::commit;
  WallTime wall;
  PageNumber page_count = 0;
  std::uint32_t images = 0;
  SourceCursor cursor{};
};

// The answer to read_pages(): `images` holds count pages from `first` on; count is short where the database ends.
struct SourcePages {
  std::uint64_t request = 0;
  PageNumber first = 0;
  std::uint32_t count = 0;
  PageNumber page_count = 0;  // of the database at this place in the order
  AlignedBuffer images;
};

// The source's standing changed.
struct SourceStanding {
  enum class Kind : std::uint8_t {
    serving,    // commits flow
    lost,       // continuity is lost (or never was): compare page digests, then call catch_up() or base()
    refused,    // cannot be served: cause and hint say why and what to do; it is looked at again from time to time
  };
  Kind kind = Kind::serving;
  std::string reason;  // a fixed word: "first_start", "wal_gap", "wal_budget", "file_replaced", "rollback_journal", "locking_exclusive", "network_fs", …
  std::string cause;   // one sentence
  std::string hint;
};

// The answer to part(). Ok: nothing is committed from here on, and the file holds everything; or why programs still have the database.
struct SourceParted {
  Result<void> outcome;
};

using SourceItem = std::variant<SourceCommit, SourcePages, SourceStanding, SourceParted>;

class LogSource {
 public:
  virtual ~LogSource() = default;

  // Facts that hold while a source is open; page_size is 0 until the first item came (an empty SQLite file has none yet).
  virtual std::uint32_t page_size() const = 0;

  // Waits for the next item. An error is final: the source must be closed and opened again.
  virtual Task<Result<SourceItem>> next() = 0;
  // Of the commit last delivered, at least one; images valid until the next call.
  virtual Task<Result<std::span<const Page>>> next_pages() = 0;
  // True when next() would complete without waiting: the engine then lets this item join the group it is about to sync.
  virtual bool ready() const { return false; }

  // Everything up to this cursor is durable in the log: the source may let go of it.
  virtual void settled(const SourceCursor& cursor) = 0;

  // Asks for pages [first, first + count); the answer comes as an item. At most reads_in_flight_max outstanding.
  static constexpr int reads_in_flight_max = 8;
  virtual void read_pages(std::uint64_t request, PageNumber first, std::uint32_t count) = 0;

  // While standing is `lost` no commits are delivered, only page reads; the source itself remembers which pages commits touched since.
  // catch_up: one commit of kind catch_up with the images of `pages` and of everything touched since, as of one position; then serving.
  // base: one commit of kind base_marker; its images are the pages touched since `lost` (for the digest table, not for the log).
  virtual void catch_up(std::vector<PageNumber> pages) = 0;
  virtual void base() = 0;

  // The copy is about to be a passive one. Asks that programs be kept from the database from now on; the answer comes as an item, behind all that
  // was committed. Refused while another process has it open, and then all is as before; else it lasts until close(). Asked again: whether it
  // still holds. A source whose commits the engine holds back itself is not asked.
  virtual void part() {}

  // For status: bytes not yet captured, WAL size and the like; empty where it has none.
  struct Gauges {
    std::uint64_t wal_bytes = 0;
    std::uint64_t uncaptured_bytes = 0;
    double lag_seconds = 0;  // age of the oldest commit that next() has not handed out, as far as it can be known
  };
  virtual Gauges gauges() const = 0;

  virtual Task<void> close() = 0;  // ends threads and locks; completes when they are gone
};

}  // namespace ccr::storage
