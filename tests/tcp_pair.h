// Both ends of one connection over loopback, made as two nodes would make it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "transport/tcp_network.h"

namespace ccr::transport {

struct TcpPair {
  std::unique_ptr<Connection> client, server;
};

inline Task<Result<TcpPair>> connect_pair(Executor executor, std::string host, TcpSettings settings) {
  TcpNetwork network(executor, std::move(settings));
  const Endpoint any{host, 0};
  Result<std::unique_ptr<Listener>> listener = network.listen(any);
  if (!listener.ok()) co_return listener.error();
  const Endpoint local = (*listener)->local();
  Result<std::unique_ptr<Connection>> client = co_await network.connect(local);
  if (!client.ok()) co_return client.error();
  Result<std::unique_ptr<Connection>> server = co_await (*listener)->accept();
  if (!server.ok()) co_return server.error();
  TcpPair pair{std::move(*client), std::move(*server)};
  co_return Result<TcpPair>(std::move(pair));
}

}  // namespace ccr::transport
