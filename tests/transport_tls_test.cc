// TlsConnection between two honest nodes: what crosses, what it costs to be cut, stopped and refused.
#include <cstring>

#include "base/timeout.h"
#include "tests/tls_fixture.h"
#include "transport/framed_connection.h"

namespace ccr::transport {
namespace {

using namespace std::chrono_literals;

Task<Result<void>> prove_into(Connection& connection, Result<void>& outcome) {
  outcome = co_await connection.prove();
  co_return Result<void>();
}

struct Proofs {
  Result<void> left, right;
};

Task<Proofs> prove_both(Executor executor, Connection& left, Connection& right) {
  Proofs proofs;
  TaskGroup group(executor);
  group.spawn(prove_into(left, proofs.left));
  group.spawn(prove_into(right, proofs.right));
  (void)co_await group.join();
  co_return proofs;
}

class TlsTest : public testing::Test {
 protected:
  // beta connects to alpha; both have proven themselves when `body` begins.
  void proven(std::function<Task<void>(Executor, TlsConnection&, TlsConnection&)> body, std::size_t read_bytes_max = 64 * KiB) {
    run([&](Executor executor) -> Task<void> {
      MemoryPair pair = memory_pair(executor, read_bytes_max);
      const auto left = connecting(std::move(pair.left), beta_, clock_);
      const auto right = accepting(std::move(pair.right), alpha_, clock_);
      const Proofs proofs = co_await prove_both(executor, *left, *right);
      EXPECT_TRUE(proofs.left.ok()) << (proofs.left.ok() ? "" : proofs.left.error().message);
      EXPECT_TRUE(proofs.right.ok()) << (proofs.right.ok() ? "" : proofs.right.error().message);
      if (proofs.left.ok() && proofs.right.ok()) co_await body(executor, *left, *right);
    });
  }

  StillClock clock_;
  KeyPair authority_ = authority_of("lab");
  std::shared_ptr<const TlsIdentity> alpha_ = identity_of(authority_, node_of(authority_, "alpha"));
  std::shared_ptr<const TlsIdentity> beta_ = identity_of(authority_, node_of(authority_, "beta"));
};

Task<Result<void>> write_all(Connection& connection, ByteView bytes) {
  const std::span<const ByteView> pieces(&bytes, 1);
  co_return co_await connection.write(pieces);
}

Task<Result<void>> read_all(Connection& connection, Bytes& into) {
  for (std::size_t filled = 0; filled < into.size();) {
    const ByteSpan room = ByteSpan(into).subspan(filled);
    const Result<std::size_t> count = co_await connection.read_some(room);
    CCR_CO_TRY(count);
    filled += *count;
  }
  co_return Result<void>();
}

TEST_F(TlsTest, EachSideKnowsTheOthersNameAndTheCipher) {
  proven([](Executor, TlsConnection& left, TlsConnection& right) -> Task<void> {
    EXPECT_EQ(left.proven_node(), "alpha");
    EXPECT_EQ(right.proven_node(), "beta");
    EXPECT_EQ(left.facts().tls, "TLS_AES_128_GCM_SHA256");
    EXPECT_EQ(right.facts().tls, "TLS_AES_128_GCM_SHA256");
    co_return;
  });
}

TEST_F(TlsTest, BytesCrossUnchangedInBothDirectionsAtOnce) {
  const Bytes there = random_bytes(3 * MiB + 17, 1), back = random_bytes(2 * MiB + 1, 2);
  proven([&](Executor executor, TlsConnection& left, TlsConnection& right) -> Task<void> {
    Bytes at_right(there.size()), at_left(back.size());
    TaskGroup group(executor);
    group.spawn(write_all(left, there));
    group.spawn(write_all(right, back));
    group.spawn(read_all(right, at_right));
    group.spawn(read_all(left, at_left));
    const Result<void> ended = co_await group.join();
    EXPECT_TRUE(ended.ok());
    EXPECT_EQ(std::memcmp(at_right.data(), there.data(), there.size()), 0);
    EXPECT_EQ(std::memcmp(at_left.data(), back.data(), back.size()), 0);
  });
}

TEST_F(TlsTest, ReadsOfOneByteFromBelowAreEnough) {
  const Bytes content = random_bytes(40'000, 3);
  proven(
      [&](Executor executor, TlsConnection& left, TlsConnection& right) -> Task<void> {
        Bytes received(content.size());
        TaskGroup group(executor);
        group.spawn(write_all(left, content));
        group.spawn(read_all(right, received));
        const Result<void> ended = co_await group.join();
        EXPECT_TRUE(ended.ok());
        EXPECT_EQ(received, content);
      },
      1);
}

TEST_F(TlsTest, AStoppedReadLosesNothing) {
  const Bytes content = random_bytes(10'000, 4);
  proven([&](Executor executor, TlsConnection& left, TlsConnection& right) -> Task<void> {
    Bytes received(content.size());
    TaskGroup stopped(executor);
    stopped.spawn(read_all(right, received));
    co_await let_others_run();
    stopped.stop();
    (void)co_await stopped.join();
    TaskGroup group(executor);
    group.spawn(write_all(left, content));
    group.spawn(read_all(right, received));
    const Result<void> ended = co_await group.join();
    EXPECT_TRUE(ended.ok());
    EXPECT_EQ(received, content);
  });
}

TEST_F(TlsTest, FramesCrossAndTheEndOfTheStreamIsADisconnection) {
  run([&](Executor executor) -> Task<void> {
    MemoryPair pair = memory_pair(executor);
    auto left = connecting(std::move(pair.left), beta_, clock_);
    auto right = accepting(std::move(pair.right), alpha_, clock_);
    const Proofs proofs = co_await prove_both(executor, *left, *right);
    EXPECT_TRUE(proofs.left.ok() && proofs.right.ok());
    if (!proofs.left.ok() || !proofs.right.ok()) co_return;
    FramedConnection here(executor, std::move(left)), there(executor, std::move(right));
    Message message(sample_hello());
    const Result<void> sent = co_await here.send(std::move(message));
    EXPECT_TRUE(sent.ok());
    const Result<Message> received = co_await there.receive();
    EXPECT_TRUE(received.ok());
    if (received.ok()) {
      EXPECT_EQ(std::get<Hello>(*received).from_node, "beta");
    }
    here.close();
    const Result<Message> end = co_await there.receive();
    expect_kind(end, ErrorKind::disconnected);
  });
}

TEST_F(TlsTest, KeysAreChangedAfterTheirShareOfBytes) {
  run([&](Executor executor) -> Task<void> {
    MemoryPair pair = memory_pair(executor);
    const PeerExpectation expected = expectation(*beta_, "alpha", "10.77.0.1:64327");
    TlsConnection left(std::move(pair.left), beta_, expected, TlsConnection::Side::connects, clock_, 100'000);
    const auto right = accepting(std::move(pair.right), alpha_, clock_);
    const Proofs proofs = co_await prove_both(executor, left, *right);
    EXPECT_TRUE(proofs.left.ok() && proofs.right.ok());
    if (!proofs.left.ok() || !proofs.right.ok()) co_return;
    const Bytes content = random_bytes(MiB, 5);
    Bytes received(content.size());
    TaskGroup group(executor);
    group.spawn(write_all(left, content));
    group.spawn(read_all(*right, received));
    const Result<void> ended = co_await group.join();
    EXPECT_TRUE(ended.ok());
    EXPECT_EQ(received, content);
    EXPECT_GE(left.key_changes(), 3u);
  });
}

TEST_F(TlsTest, ASessionGoesOnWhenItsIdentityIsGone) {
  proven([&](Executor executor, TlsConnection& left, TlsConnection& right) -> Task<void> {
    alpha_.reset();
    beta_.reset();
    const Bytes content = random_bytes(100'000, 6);
    Bytes received(content.size());
    TaskGroup group(executor);
    group.spawn(write_all(left, content));
    group.spawn(read_all(right, received));
    const Result<void> ended = co_await group.join();
    EXPECT_TRUE(ended.ok());
    EXPECT_EQ(received, content);
  });
}

// Passes `budget` bytes in this direction, then closes both ends.
class CutAfter final : public Connection {
 public:
  CutAfter(std::unique_ptr<Connection> inner, std::size_t budget) : inner_(std::move(inner)), budget_(budget) {}
  Task<Result<std::size_t>> read_some(ByteSpan into) override { return inner_->read_some(into); }
  Task<Result<void>> write(std::span<const ByteView> pieces) override {
    for (const ByteView piece : pieces) {
      const ByteView part = piece.first(std::min(piece.size(), budget_));
      const std::span<const ByteView> one(&part, 1);
      CCR_CO_TRY(co_await inner_->write(one));
      budget_ -= part.size();
      written_ += part.size();
      if (part.size() < piece.size()) inner_->close();
    }
    co_return Result<void>();
  }
  void close() override { inner_->close(); }
  Endpoint peer() const override { return inner_->peer(); }
  ConnectionFacts facts() const override { return {}; }
  std::size_t written() const { return written_; }

 private:
  std::unique_ptr<Connection> inner_;
  std::size_t budget_, written_ = 0;
};

TEST_F(TlsTest, AHandshakeCutAfterAnyByteEndsOnBothSides) {
  std::size_t cuts = 0;
  for (const bool cut_left : {true, false}) {
    bool whole = false;
    for (std::size_t budget = 0; !whole; budget += 7) {
      run([&](Executor executor) -> Task<void> {
        MemoryPair pair = memory_pair(executor);
        auto cut = std::make_unique<CutAfter>(std::move(cut_left ? pair.left : pair.right), budget);
        if (cut_left) {
          pair.left = std::move(cut);
        } else {
          pair.right = std::move(cut);
        }
        const auto left = connecting(std::move(pair.left), beta_, clock_);
        const auto right = accepting(std::move(pair.right), alpha_, clock_);
        const Proofs proofs = co_await prove_both(executor, *left, *right);
        whole = proofs.left.ok() && proofs.right.ok();
        if (!whole) ++cuts;
        // Whoever was cut off never believes that the other is proven; the side that connects is done one flight earlier.
        if (cut_left && !whole) {
          expect_kind(proofs.right, ErrorKind::disconnected);
        }
        if (!cut_left && !whole) {
          EXPECT_FALSE(proofs.left.ok());
        }
      });
    }
  }
  EXPECT_GT(cuts, 100u);
}

TEST_F(TlsTest, AChangedRecordEndsTheConnection) {
  run([&](Executor executor) -> Task<void> {
    MemoryPair pair = memory_pair(executor);
    auto* inner = static_cast<MemoryConnection*>(pair.right.get());
    const auto left = connecting(std::move(pair.left), beta_, clock_);
    const auto right = accepting(std::move(pair.right), alpha_, clock_);
    const Proofs proofs = co_await prove_both(executor, *left, *right);
    EXPECT_TRUE(proofs.left.ok() && proofs.right.ok());
    if (!proofs.left.ok() || !proofs.right.ok()) co_return;
    const Bytes content = random_bytes(1000, 7);
    const Result<void> sent = co_await write_all(*left, content);
    EXPECT_TRUE(sent.ok());
    inner->incoming().at(500) ^= std::byte{1};
    Bytes received(content.size());
    const Result<void> read = co_await read_all(*right, received);
    expect_kind(read, ErrorKind::disconnected);
    expect_message(read, "beta: a TLS record was changed on the way");
  });
}

}  // namespace
}  // namespace ccr::transport
