#include "transport/tls_network.h"

#include <utility>

namespace ccr::transport {
namespace {

class TlsListener final : public Listener {
 public:
  TlsListener(TlsNetwork& network, std::unique_ptr<Listener> inner) : network_(network), inner_(std::move(inner)) {}

  Task<Result<std::unique_ptr<Connection>>> accept() override {
    Result<std::unique_ptr<Connection>> accepted = co_await inner_->accept();
    if (!accepted.ok()) co_return accepted.error();
    co_return network_.protect(std::move(*accepted), TlsConnection::Side::accepts, "");
  }
  Endpoint local() const override { return inner_->local(); }

 private:
  TlsNetwork& network_;
  std::unique_ptr<Listener> inner_;
};

}  // namespace

TlsNetwork::TlsNetwork(Network& inner, Clock& clock, std::map<Endpoint, std::string> nodes,
                       std::shared_ptr<const TlsIdentity> identity)
    : inner_(inner), clock_(clock), nodes_(std::move(nodes)), identity_(std::move(identity)) {
  CCR_ASSERT(identity_ != nullptr);
  for (const auto& [address, node] : nodes_) rules_->nodes.insert(node);
}

std::unique_ptr<Connection> TlsNetwork::protect(std::unique_ptr<Connection> inner, TlsConnection::Side side,
                                                std::string looked_for) {
  PeerExpectation expected{identity_->own(), rules_, std::move(looked_for), inner->peer().text(), identity_->ca_file()};
  return std::make_unique<TlsConnection>(std::move(inner), identity_, std::move(expected), side, clock_);
}

Task<Result<std::unique_ptr<Connection>>> TlsNetwork::connect(Endpoint to) {
  const auto node = nodes_.find(to);
  if (node == nodes_.end())
    co_return Error{ErrorKind::config, to.text() + " is the address of no node", "add it to [nodes] on both nodes"};
  std::string looked_for = node->second;
  Result<std::unique_ptr<Connection>> connected = co_await inner_.connect(std::move(to));
  if (!connected.ok()) co_return connected.error();
  co_return protect(std::move(*connected), TlsConnection::Side::connects, std::move(looked_for));
}

Result<std::unique_ptr<Listener>> TlsNetwork::listen(Endpoint at) {
  Result<std::unique_ptr<Listener>> inner = inner_.listen(std::move(at));
  if (!inner.ok()) return inner.error();
  return Result<std::unique_ptr<Listener>>(std::make_unique<TlsListener>(*this, std::move(*inner)));
}

std::optional<OwnCertificate> TlsNetwork::own_certificate() const {
  const CertificateFacts& facts = identity_->facts();
  return OwnCertificate{identity_->own().text(), facts.fingerprint, facts.not_before, facts.not_after};
}

void TlsNetwork::use(std::shared_ptr<const TlsIdentity> identity) {
  CCR_ASSERT(identity != nullptr && identity->own() == identity_->own());
  identity_ = std::move(identity);
}

void TlsNetwork::hold_to(std::set<std::string> denied, std::map<std::string, std::vector<std::string>> pins) {
  rules_->denied = std::move(denied);
  rules_->pins = std::move(pins);
  ++rules_->version;
}

}  // namespace ccr::transport
