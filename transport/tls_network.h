// TlsNetwork is a Network over another: every connection proves both names before it carries a byte of ours.
//
// connect() goes only to addresses that the configuration gives to a node, and its connection's prove() believes that node alone;
// what is accepted may be any other node of the configuration. Neither waits for TLS: prove() does. use() takes another identity
// for the connections that come from then on; those that are open keep theirs. hold_to() is for those that are open too: a peer that it
// denies is neither heard nor told anything more. Lifetime: the inner network, the clock and this
// outlive its listeners; connections may outlive it. Threads: the node's executor.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "transport/tls_connection.h"

namespace ccr::transport {

class TlsNetwork final : public Network {
 public:
  // `nodes`: who is at each address, by the configuration.
  TlsNetwork(Network& inner, Clock& clock, std::map<Endpoint, std::string> nodes, std::shared_ptr<const TlsIdentity> identity);

  Task<Result<std::unique_ptr<Connection>>> connect(Endpoint to) override;
  Result<std::unique_ptr<Listener>> listen(Endpoint at) override;
  std::optional<OwnCertificate> own_certificate() const override;

  void use(std::shared_ptr<const TlsIdentity> identity);
  // Serial numbers that are denied and pins of nodes (PeerRules), instead of those before.
  void hold_to(std::set<std::string> denied, std::map<std::string, std::vector<std::string>> pins);
  std::unique_ptr<Connection> protect(std::unique_ptr<Connection> inner, TlsConnection::Side side, std::string looked_for);

 private:
  Network& inner_;
  Clock& clock_;
  std::map<Endpoint, std::string> nodes_;
  std::shared_ptr<PeerRules> rules_ = std::make_shared<PeerRules>();
  std::shared_ptr<const TlsIdentity> identity_;
};

}  // namespace ccr::transport
