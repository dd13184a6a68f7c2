// Network is a seam: every byte between nodes crosses it, so that the simulator can stall, cut, half-open and corrupt.
//
// Completion: read_some() completes with at least one byte, or with disconnected at the end of the stream. write() completes when all
// bytes are handed to the kernel (not when they arrive); a second write() may not begin before the first completed. Both are stopped
// with their task; a stopped or failed write leaves the connection unusable. prove() comes first on both sides, once: it completes when
// each has proven its name to the other, and at once where the network proves none (plain TCP, simulation).
// Lifetime: a Connection closes in its destructor, after its tasks ended; close() makes pending operations fail with disconnected.
// Threads: the node's executor only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/task.h"

namespace ccr::transport {

struct Endpoint {
  std::string host;  // an address literal: 10.77.0.1, ::1
  std::uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
  std::string text() const;  // 10.77.0.1:64327, [::1]:64327
};

// "10.77.0.1:64327" or "[::1]:64327"; anything else is ErrorKind::config with what was expected.
Result<Endpoint> parse_endpoint(const std::string& text);

// A buffer that a connection would need and may not set.
struct HeldBuffer {
  const char* setting = nullptr;  // the sysctl that decides: net.ipv4.tcp_wmem; nullptr: nothing is held
  std::uint64_t here = 0, wanted = 0;
};

// What the kernel says of a connection now; zeros are 'not known' here and become null in status.
struct ConnectionFacts {
  std::uint64_t window_asked = 0;    // as set by hand; 0: auto
  std::uint64_t window_granted = 0;  // the largest window that is offered to the peer now, bytes
  std::uint64_t send_window = 0;     // the window that the peer offers
  int send_scale = -1, receive_scale = -1;  // of the peer's windows and of ours, as the SYNs told them
  std::optional<bool> scaling, timestamps;  // agreed in the SYN
  double rtt_seconds = 0;
  std::uint64_t delivery_bytes_per_second = 0;
  std::optional<std::uint64_t> retransmits;  // segments, since the connection began
  std::optional<std::uint64_t> bytes_delivered;  // that the peer acknowledged, what TLS adds included
  std::string congestion_asked, congestion;
  HeldBuffer held;
  std::string tls;  // the cipher; empty: clear text
};

// What one connection has beside its node's settings, where somebody tries others: a measurement.
struct ConnectionWish {
  std::uint64_t window = 0;  // bytes; 0: as it is
  std::string congestion;    // a name; empty: as it is
};

class Connection {
 public:
  virtual ~Connection() = default;
  virtual Task<Result<void>> prove();
  virtual std::string proven_node() const { return {}; }  // what the peer's certificate names; empty where the network proves none
  virtual Task<Result<std::size_t>> read_some(ByteSpan into) = 0;
  // All of `pieces` in order, gathered.
  virtual Task<Result<void>> write(std::span<const ByteView> pieces) = 0;
  virtual void close() = 0;
  // Of an open connection, so its window scale stays: facts() tells what came of it. Where there is nothing to set, nothing happens.
  virtual void wish(const ConnectionWish&) {}
  virtual Endpoint peer() const = 0;
  virtual ConnectionFacts facts() const = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  // disconnected: many that came were gone again, nothing is wrong here, and others may wait behind them.
  virtual Task<Result<std::unique_ptr<Connection>>> accept() = 0;
  virtual Endpoint local() const = 0;
};

// What this node proves itself with.
struct OwnCertificate {
  std::string name;         // ccr://lab/beta
  std::string fingerprint;  // SHA-256, hex
  WallTime not_before, not_after;
};

class Network {
 public:
  virtual ~Network() = default;
  virtual std::optional<OwnCertificate> own_certificate() const { return std::nullopt; }
  virtual Task<Result<std::unique_ptr<Connection>>> connect(Endpoint to) = 0;
  virtual Result<std::unique_ptr<Listener>> listen(Endpoint at) = 0;
};

}  // namespace ccr::transport
