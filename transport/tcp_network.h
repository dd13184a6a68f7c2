// The Network of production: TCP through Asio, no delay, the window and the congestion control of its settings, and what the kernel
// says about each connection read back from TCP_INFO.
//
// Errors are translated here, once. connect(): unreachable for everything the net or the peer's kernel answers, config for an
// address that is none. listen(): busy when the port is taken, config when the address is not one of this host or may not be used.
// An open connection ends with disconnected, whatever ended it. io: this process or kernel is out of sockets or memory. Stopping:
// connect, accept, read_some and write throw when their task is stopped. Lifetime: a Connection or Listener may outlive the
// TcpNetwork, not its executor.
#pragma once

#include "transport/network.h"
#include "transport/tcp_settings.h"

namespace ccr::transport {

class TcpNetwork final : public Network {
 public:
  explicit TcpNetwork(Executor executor, TcpSettings settings = {});
  Task<Result<std::unique_ptr<Connection>>> connect(Endpoint to) override;
  Result<std::unique_ptr<Listener>> listen(Endpoint at) override;

 private:
  Executor executor_;
  TcpSettings settings_;
  BufferPair reach_;
};

}  // namespace ccr::transport
