// serve_seed answers a target over one connection, after the handshake: offers, digests, pages, the end, verification.
//
// Asks are read ahead into a bounded queue, up to reads_in_flight_max of them are read from the disk at a time, and answers are
// sent one after another while the next are being read. Answers of different asks may change places; the messages of one ask follow
// each other. Pages of zeros are not sent: a page that was asked for and is not in any run when `last` says so is a page of zeros,
// and so is a page that the source does not have any more.
//
// Completion: ok when the peer ended the connection with no pass open (never opened, released, or finished); disconnected when it
// ended inside a pass, whose pin stays. Failure: any other error is told to the peer in a Refuse, then returned; the connection is
// closed by the caller. A peer that asks for what cannot be asked is ErrorKind::protocol. Lifetime: connection, pages and limits
// outlive the task. Bounds: asks_queued_max asks, reads_in_flight_max + answers_queued_max + 1 extents.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/cpu_pool.h"
#include "seed/fair_share.h"
#include "seed/seed_pages.h"
#include "storage/token_bucket.h"
#include "transport/compression_plan.h"
#include "transport/framed_connection.h"

namespace ccr::seed {

struct SeedLimits {
  Clock* clock = nullptr;                // needed where there is a rate
  storage::TokenBucket* rate = nullptr;  // shared by the seeds of a node; null: no limit
  CpuPool* cpu = nullptr;                // null: pages go as they are; else the clock is needed too
  transport::CompressionSetting compression;
  FairShare* share = nullptr;  // of the seeds to this peer; null: nobody else sends
  std::string seed;            // which of them
};

Task<Result<void>> serve_seed(transport::FramedConnection& connection, SeedPages& pages, std::string node, SeedLimits limits);

}  // namespace ccr::seed
