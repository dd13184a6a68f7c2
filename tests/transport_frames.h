// Frames as bytes, and what a FramedConnection says to bytes that somebody else wrote: the common ground of tests that bend them.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "tests/memory_network.h"
#include "tests/transport_samples.h"
#include "transport/framed_connection.h"

namespace ccr::transport {

// As a peer would send it.
inline Bytes frame_of(std::uint8_t type, const Bytes& body, std::uint64_t session, std::uint64_t sequence) {
  const ByteView view(body);
  const FrameHeader header{type, session, sequence, static_cast<std::uint32_t>(body.size()), body_checksum({&view, 1})};
  Bytes frame(frame_header_bytes);
  encode_frame_header(header, frame);
  frame.insert(frame.end(), body.begin(), body.end());
  return frame;
}

inline Bytes frame_of(const Message& message, std::uint64_t session, std::uint64_t sequence) {
  return frame_of(type_of(message), encode(message), session, sequence);
}

// The header's checksum made good again: what a peer with another build would send.
inline Bytes sealed(Bytes frame) {
  constexpr std::size_t checksum_at = frame_header_bytes - sizeof(Digest64);
  const Digest64 checksum = digest64(ByteView(frame).first(checksum_at));
  Encoder(ByteSpan(frame).subspan(checksum_at)).u64(checksum);
  return frame;
}

inline Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// What comes over a connection, and how it must end.
struct Fault {
  std::string name;
  std::uint64_t session = 0;  // of the connection; 0: its handshake has not ended
  Bytes bytes;
  std::size_t good = 0;  // so many frames are as they should be, and come first
  ErrorKind kind = ErrorKind::protocol;
  std::string says;                                           // is part of the error's text
  std::size_t room_max = FramedConnection::read_ahead_bytes;  // the longest piece of memory that the network may be asked to fill
};

// Remembers how much memory it was asked to fill at once: a length that is believed shows as room for it.
class WatchedConnection final : public Connection {
 public:
  explicit WatchedConnection(std::unique_ptr<Connection> inner) : inner_(std::move(inner)) {}
  Task<Result<std::size_t>> read_some(ByteSpan into) override {
    room_ = std::max(room_, into.size());
    co_return co_await inner_->read_some(into);
  }
  Task<Result<void>> write(std::span<const ByteView> pieces) override { co_return co_await inner_->write(pieces); }
  void close() override { inner_->close(); }
  Endpoint peer() const override { return inner_->peer(); }
  ConnectionFacts facts() const override { return inner_->facts(); }
  std::size_t room() const noexcept { return room_; }

 private:
  std::unique_ptr<Connection> inner_;
  std::size_t room_ = 0;
};

struct Heard {
  std::vector<Bytes> bodies;  // of the messages before the error
  Error error;
  bool over = false;     // whoever receives or sends after it hears the same, and the peer can write no more
  std::size_t room = 0;  // the longest piece of memory that the network was asked to fill
};

// The stream ends behind the bytes only where that is the fault: any other is told without waiting for what comes next.
inline Task<Heard> hear(Executor executor, const Fault& fault) {
  MemoryPair ends = memory_pair(executor);
  auto watched = std::make_unique<WatchedConnection>(std::move(ends.left));
  const WatchedConnection* wire = watched.get();
  FramedConnection framed(executor, std::move(watched));
  if (fault.session != 0) framed.set_session(fault.session);
  const ByteView view(fault.bytes);
  const std::span<const ByteView> pieces(&view, 1);
  const Result<void> written = co_await ends.right->write(pieces);
  EXPECT_TRUE(written.ok());
  if (fault.kind == ErrorKind::disconnected) ends.right->close();
  Heard heard;
  Result<Message> message = co_await framed.receive();
  for (; message.ok(); message = co_await framed.receive()) heard.bodies.push_back(encode(*message));
  heard.error = message.error();
  const Result<Message> again = co_await framed.receive();
  const Message any = SeedFinish{};
  const Result<void> sent = co_await framed.send(any);
  const Result<void> beyond = co_await ends.right->write(pieces);
  heard.over = !again.ok() && again.error().message == heard.error.message && !sent.ok() &&
               sent.error().message == heard.error.message && !beyond.ok();
  heard.room = wire->room();
  co_return heard;
}

// Exactly the good frames were delivered, as they were sent; then came the error that must come, and nothing after it.
inline void expect_end(const Fault& fault, const Heard& heard) {
  EXPECT_STREQ(name_of(heard.error.kind), name_of(fault.kind)) << fault.name << ": " << heard.error.message;
  EXPECT_EQ(heard.error.message.find("127.0.0.1:1: "), 0u) << fault.name << ": " << heard.error.message;
  EXPECT_NE(heard.error.message.find(fault.says), std::string::npos) << fault.name << ": " << heard.error.message;
  EXPECT_TRUE(heard.over) << fault.name;
  EXPECT_LE(heard.room, fault.room_max) << fault.name;
  EXPECT_EQ(heard.bodies.size(), fault.good) << fault.name;
  ByteView rest(fault.bytes);
  for (const Bytes& body : heard.bodies) {
    rest = rest.subspan(frame_header_bytes);
    if (body.size() > rest.size() || !std::equal(body.begin(), body.end(), rest.begin())) {
      ADD_FAILURE() << fault.name << ": a message was delivered that was not sent";
      return;
    }
    rest = rest.subspan(body.size());
  }
}

// Each on a connection of its own; the first that ends otherwise is enough.
inline void expect_ends(const std::vector<Fault>& faults) {
  std::size_t heard_of = 0;
  run([&](Executor executor) -> Task<void> {
    for (const Fault& fault : faults) {
      const Heard heard = co_await hear(executor, fault);
      expect_end(fault, heard);
      if (testing::Test::HasFailure()) co_return;
      ++heard_of;
    }
  });
  if (!testing::Test::HasFailure() || heard_of >= faults.size()) return;
  ADD_FAILURE() << "after " << heard_of << " of " << faults.size() << ": " << faults[heard_of].name;
}

}  // namespace ccr::transport
