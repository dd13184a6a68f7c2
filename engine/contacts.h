// Contacts holds what is open between this node and each other one, and can part the two for a while: the outage of a drill.
//
// part() closes every connection with a peer, dialled here or there, and refuses new ones until its time is over: that is this node's own limit, so
// contact comes back whatever became of who asked. join() ends it before. Nothing of it is on disk: a node that starts is in contact with all.
// All databases that both nodes have lose contact. Failure of belongs_to(): unreachable, while they are parted; the caller closes.
// Lifetime: outlives the connections it was given. Threads: the executor's. Bounds: part_max; one entry for each peer.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/trace.h"
#include "transport/network.h"

namespace ccr::engine {

class Contacts {
 public:
  static constexpr Duration part_max = std::chrono::minutes(10);

  Contacts(Clock& clock, Trace& trace, std::string node) : clock_(clock), trace_(trace), node_(std::move(node)) {}

  // A connection among those of a peer, once it is known whose it is.
  class Attached final : public transport::Connection {
   public:
    Attached(Contacts& contacts, std::unique_ptr<transport::Connection> inner) : contacts_(contacts), inner_(std::move(inner)) {}
    ~Attached() override;
    Result<void> belongs_to(const std::string& peer);

    Task<Result<void>> prove() override { return inner_->prove(); }
    std::string proven_node() const override { return inner_->proven_node(); }
    Task<Result<std::size_t>> read_some(ByteSpan into) override { return inner_->read_some(into); }
    Task<Result<void>> write(std::span<const ByteView> pieces) override { return inner_->write(pieces); }
    void close() override { inner_->close(); }
    void wish(const transport::ConnectionWish& wish) override { inner_->wish(wish); }
    transport::Endpoint peer() const override { return inner_->peer(); }
    transport::ConnectionFacts facts() const override { return inner_->facts(); }

   private:
    Contacts& contacts_;
    std::unique_ptr<transport::Connection> inner_;
    std::list<Attached*>* among_ = nullptr;
  };

  std::unique_ptr<Attached> attach(std::unique_ptr<transport::Connection> connection) { return std::make_unique<Attached>(*this, std::move(connection)); }

  void part(const std::string& peer, Duration how_long);  // again: from now on for as long
  void join(const std::string& peer);                     // nothing where they are not parted
  std::optional<Duration> parted(const std::string& peer);  // for how much longer
  std::optional<Error> refusal(const std::string& peer);    // unreachable, while they are parted

 private:
  void end(const std::string& peer);

  Clock& clock_;
  Trace& trace_;
  std::string node_;
  std::map<std::string, std::list<Attached*>> open_;
  std::map<std::string, Instant> until_;
};

}  // namespace ccr::engine
