// Copier is the passive end of one log connection: blocks are verified, written, synced and acknowledged; tips come in, watermarks go out.
//
// run() completes with the error that ended the connection: disconnected, protocol and the like from the peer; corrupt or diverged when what
// came fails inspection; io, no_space, read_only from this node's disk (the log must then be opened again).
// Acknowledged positions are durable here. Bounds: queue_items_max frames wait for the disk; beyond that the connection is not read.
#pragma once

#include <functional>

#include "base/queue.h"
#include "base/task_group.h"
#include "engine/copy_state.h"
#include "engine/heartbeat.h"
#include "engine/log_receiver.h"
#include "engine/node_context.h"
#include "storage/incoming_log.h"
#include "transport/framed_connection.h"

namespace ccr::engine {

// The copy behind a Copier.
class CopierOwner {
 public:
  virtual ~CopierOwner() = default;
  virtual void tip_heard(const transport::Tip& tip) = 0;
  virtual void log_received(std::uint64_t log_bytes, std::uint64_t wire_bytes) = 0;  // since the last call
  virtual void log_durable() = 0;                     // incoming log's watermarks grew
  virtual transport::Watermarks watermarks() const = 0;
  virtual const CopyStanding& standing() const = 0;
  virtual Signal& changed() = 0;  // notified when the standing, too, may have changed
};

class Copier {
 public:
  static constexpr std::size_t queue_items_max = 16;
  static constexpr std::size_t unsynced_bytes_max = 4 * MiB;
  static constexpr std::size_t lent_bytes_min = 64 * KiB;  // less is copied: the memory it came in may be much larger

  // `incoming` may be null: a copy without history, or a suspended one, keeps contact only.
  // It rests on `pulse`, which is that of the connection's path.
  Copier(NodeContext& context, storage::IncomingLog* incoming, transport::FramedConnection& connection, std::shared_ptr<Pulse> pulse,
         CopierOwner& owner);

  Task<Result<void>> run();

 private:
  struct Blocks {
    Generation generation;
    std::uint64_t offset = 0;
    ByteView bytes;        // in one of the two below
    AlignedBuffer memory;  // of the connection
    Bytes own;
  };

  Task<Result<void>> listen();
  Task<Result<Blocks>> blocks_of(transport::Message message);
  Task<Result<void>> take(Blocks blocks);
  void count(std::uint64_t log_bytes);
  Task<Result<void>> write(TaskGroup& peer);
  Task<Result<void>> write_blocks();
  Task<Result<void>> beat();
  Task<Result<void>> tell_changes();
  Task<Result<void>> report();

  NodeContext& context_;
  storage::IncomingLog* incoming_;
  transport::FramedConnection& connection_;
  CopierOwner& owner_;
  BoundedQueue<Blocks> queue_;
  PeerWatch watch_;
  LogReceiver receiver_;
  std::uint64_t counted_bytes_ = 0;   // of what the connection received
  std::size_t unsynced_bytes_ = 0;
  transport::Watermarks told_;        // the last report
  std::uint64_t told_changes_ = 0;    // of the owner's standing, in it
  std::uint64_t last_echo_ = 0;       // sent_at of the last tip
  Position last_tip_;
  std::uint64_t covered_echo_ = 0;    // sent_at of the last tip whose position is durable here
};

}  // namespace ccr::engine
