// TunDevice: a network interface whose packets are read and written here, made inside another network namespace.
//
// It hands out and takes packets as one piece of up to 64 KiB with an offload header (framed_packet.h): checksums are left out
// and TCP is not cut to the MTU, so that a gigabit is 2,000 reads a second and not 80,000.
// Completion: open() returns with the interface there, down and without an address. It is gone when the last descriptor is.
// After failure: nothing is left; the caller is back in its own namespace, or the process stops.
// Threads: open() moves the calling thread through namespaces; one thread only.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace ccr::linklab {

class TunDevice {
 public:
  // namespace_path as under /run/netns; `interface` at most 15 characters.
  static Result<TunDevice> open(const std::string& namespace_path, const std::string& interface);

  TunDevice(TunDevice&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  TunDevice& operator=(TunDevice&&) = delete;
  ~TunDevice();

  int descriptor() const noexcept { return descriptor_; }
  // One packet into `room`; 0: none is waiting.
  Result<std::size_t> read(ByteSpan room) const;
  // One packet in two parts, the second may be empty. false: the kernel did not take it (interface down, no memory).
  bool write(ByteView headers, ByteView payload) const;

 private:
  explicit TunDevice(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace ccr::linklab
