// What a passive copy has open, and how its pages are held still.
#pragma once

#include <memory>

#include "engine/replayer.h"
#include "storage/incoming_log.h"
#include "storage/page_digests.h"
#include "storage/page_file.h"
#include "storage/replay_target.h"

namespace ccr::engine {

// Closed with the last who reads them: a copy may open its files again while a page is read.
struct PassiveFiles {
  std::unique_ptr<storage::PageFile> pages;
  std::unique_ptr<storage::PageDigests> digests;
  std::unique_ptr<storage::PageFileTarget> target;
  std::unique_ptr<storage::IncomingLog> log;
  std::shared_ptr<Replayer> replayer;  // of the follow phase
};

// While it lives replay rests at a commit boundary: pages and table stand still and agree. In a phase without replay they rest anyway.
class PagesHeld {
 public:
  PagesHeld() = default;
  // `replayer` of `files`, after its hold(); none: there is no replay.
  PagesHeld(std::shared_ptr<PassiveFiles> files, std::shared_ptr<Replayer> replayer) : files_(std::move(files)), replayer_(std::move(replayer)) {}
  PagesHeld(PagesHeld&& other) noexcept : files_(std::move(other.files_)), replayer_(std::move(other.replayer_)) {}
  PagesHeld& operator=(PagesHeld&& other) noexcept {
    std::swap(files_, other.files_);
    std::swap(replayer_, other.replayer_);
    return *this;
  }
  ~PagesHeld() {
    if (replayer_) replayer_->release();
  }

 private:
  std::shared_ptr<PassiveFiles> files_;
  std::shared_ptr<Replayer> replayer_;  // of a phase that may be over
};

}  // namespace ccr::engine
