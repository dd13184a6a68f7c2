// What a passive copy has open: its page file, digest table, log and replayer. Part of PassiveCopy.
#pragma once

#include "engine/passive_copy.h"
#include "storage/incoming_log.h"

namespace ccr::engine {

struct PassiveCopy::Files {
  std::unique_ptr<storage::PageFile> pages;
  std::unique_ptr<storage::PageDigests> digests;
  std::unique_ptr<storage::PageFileTarget> target;
  std::unique_ptr<storage::IncomingLog> log;
  std::unique_ptr<Replayer> replayer;  // of the follow phase
};

}  // namespace ccr::engine
