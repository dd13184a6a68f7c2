// The Network of production: TCP through Asio, no delay, and what the kernel says about each connection read back from TCP_INFO.
#pragma once

#include "transport/network.h"

namespace ccr::transport {

class TcpNetwork final : public Network {
 public:
  explicit TcpNetwork(Executor executor);
  Task<Result<std::unique_ptr<Connection>>> connect(Endpoint to) override;
  Result<std::unique_ptr<Listener>> listen(Endpoint at) override;

 private:
  Executor executor_;
};

}  // namespace ccr::transport
