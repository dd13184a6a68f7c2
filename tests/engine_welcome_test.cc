// A welcome that is no answer to the hello it follows, as a replayed one would be: nothing of it is believed, whatever it says.
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "tests/transport_frames.h"
#include "tests/two_nodes.h"

namespace ccr::sim {
namespace {

using namespace std::chrono_literals;
using transport::Connection;
using transport::Welcome;

using Bend = std::function<void(Welcome&)>;

// The welcome as it came, bent; a refusal stays what it is.
Bytes bent(const Bytes& frame, const Bend& bend) {
  const Result<transport::FrameHeader> header =
      transport::decode_frame_header(ByteView(frame).first(transport::frame_header_bytes), transport::handshake_body_max);
  const Bytes body(frame.begin() + transport::frame_header_bytes, frame.end());
  if (!header.ok() || transport::type_name(header->type) != std::string("Welcome")) return frame;
  const Result<transport::Message> message = transport::decode(header->type, body);
  if (!message.ok()) return frame;
  Welcome welcome = std::get<Welcome>(*message);
  bend(welcome);
  return transport::frame_of(welcome, 0, 1);
}

// What comes first is one frame, the answer to the hello: nothing follows it before somebody speaks again.
class BendingConnection final : public Connection {
 public:
  BendingConnection(std::unique_ptr<Connection> inner, const Bend& bend) : inner_(std::move(inner)), bend_(bend) {}
  Task<Result<void>> prove() override { co_return co_await inner_->prove(); }
  Task<Result<std::size_t>> read_some(ByteSpan into) override {
    if (bend_ && !answered_) {
      CCR_CO_TRY(co_await read_answer());
      answer_ = bent(answer_, bend_);
    }
    answered_ = true;
    if (answer_.empty()) co_return co_await inner_->read_some(into);
    const std::size_t count = std::min(into.size(), answer_.size());
    std::copy_n(answer_.begin(), count, into.begin());
    answer_.erase(answer_.begin(), answer_.begin() + std::ptrdiff_t(count));
    co_return count;
  }
  Task<Result<void>> write(std::span<const ByteView> pieces) override { co_return co_await inner_->write(pieces); }
  void close() override { inner_->close(); }
  transport::Endpoint peer() const override { return inner_->peer(); }
  transport::ConnectionFacts facts() const override { return inner_->facts(); }

 private:
  bool whole() const {
    constexpr std::size_t length_at = 24;
    if (answer_.size() < transport::frame_header_bytes) return false;
    return answer_.size() >= transport::frame_header_bytes + Decoder(ByteView(answer_).subspan(length_at)).u32();
  }
  Task<Result<void>> read_answer() {
    std::array<std::byte, 256> piece;
    while (!whole()) {
      const ByteSpan room(piece);
      const Result<std::size_t> count = co_await inner_->read_some(room);
      if (!count.ok()) co_return count.error();
      answer_.insert(answer_.end(), piece.begin(), piece.begin() + std::ptrdiff_t(*count));
    }
    co_return Result<void>();
  }

  std::unique_ptr<Connection> inner_;
  const Bend& bend_;
  bool answered_ = false;
  Bytes answer_;  // read, and not handed on yet
};

class BendingNetwork final : public transport::Network {
 public:
  BendingNetwork(transport::Network& inner, const Bend& bend) : inner_(inner), bend_(bend) {}
  Task<Result<std::unique_ptr<Connection>>> connect(transport::Endpoint to) override {
    Result<std::unique_ptr<Connection>> connected = co_await inner_.connect(std::move(to));
    if (!connected.ok()) co_return connected.error();
    std::unique_ptr<Connection> bending = std::make_unique<BendingConnection>(std::move(*connected), bend_);
    co_return bending;
  }
  Result<std::unique_ptr<transport::Listener>> listen(transport::Endpoint at) override { return inner_.listen(std::move(at)); }

 private:
  transport::Network& inner_;
  const Bend& bend_;
};

class BentWelcomes : public TwoNodes {
 protected:
  BentWelcomes() : TwoNodes(options_of(this)) {}
  static ClusterOptions options_of(const BentWelcomes* test) {
    ClusterOptions options;
    options.over_network = [test](const std::string&, Incarnation& life) {
      return std::make_unique<BendingNetwork>(*life.network, test->bend);
    };
    return options;
  }
  std::string cause() { return cluster.node("beta")->find(Cluster::database)->standing->cause(); }

  Bend bend;  // none: welcomes go on as they are
};

TEST_F(BentWelcomes, ThatAnswerAnotherHelloChangeNothing) {
  seed();
  const std::vector<std::pair<Bend, std::string>> bends{
      {[](Welcome& welcome) { ++welcome.session; }, "alpha welcomed session "},
      {[](Welcome& welcome) { welcome.node = "gamma"; }, "alpha welcomed as node 'gamma'"},
      {[](Welcome& welcome) { ++welcome.version; }, "alpha welcomed protocol 2"},
      {[](Welcome& welcome) { --welcome.epoch; }, "alpha welcomed epoch "},
  };
  for (const auto& [wrong, says] : bends) {
    cluster.host("beta").stop();
    bend = [&wrong](Welcome& welcome) {
      wrong(welcome);
      welcome.verdict = transport::Verdict::forked;  // believed, it would need a person
      welcome.fork = {1};
    };
    cluster.host("beta").start();
    ASSERT_TRUE(wait_for("beta", "disconnected"));
    for (int second = 0; second < 10; ++second) {
      world.run_for(1s);
      ASSERT_EQ(cluster.state("beta"), "disconnected") << cluster.story();
      EXPECT_NE(cause().find(says), std::string::npos) << cause();
    }
    bend = {};
    ASSERT_TRUE(wait_for("beta", "healthy"));
  }
  expect_equal();
}

}  // namespace
}  // namespace ccr::sim
