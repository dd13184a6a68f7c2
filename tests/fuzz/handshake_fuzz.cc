// The verdict on a Hello from anybody: the first bytes make the active's facts, the rest is the body of the Hello. Whatever it
// says, there is an answer, and the answer can be sent.
#include <algorithm>

#include "transport/handshake.h"

namespace {

using namespace ccr;
using namespace ccr::transport;

// Facts that agree with the Hello where a bit of `switches` says so, so that every rule is reached.
ActiveFacts facts_for(const Hello& hello, Decoder& chance) {
  const std::uint32_t switches = chance.u32();
  const auto agrees = [switches](int bit) { return ((switches >> bit) & 1) == 0; };
  ActiveFacts facts;
  facts.cluster = agrees(0) ? hello.cluster : "lab";
  facts.node = agrees(1) ? hello.to_node : "alpha";
  facts.database = agrees(2) ? hello.database : "orders";
  facts.kind = agrees(3) ? hello.kind : "pages";
  facts.active = agrees(4);
  facts.ready = agrees(5);
  if (agrees(6)) facts.copies.push_back(hello.from_node);
  if (agrees(7)) facts.signature = hello.signature;
  facts.epoch = agrees(8) ? hello.epoch : chance.u8();
  facts.first = {chance.u8()};
  facts.durable = agrees(9) ? hello.wanted : Position{{chance.u8()}, chance.u16()};
  for (const ChainPoint& point : hello.chain) {
    const std::uint8_t how = chance.u8();
    if (how % 3 == 0) {
      facts.own_digests.emplace_back();
    } else {
      facts.own_digests.emplace_back(how % 3 == 1 ? point.digest : Digest128{});
    }
  }
  return facts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t chance_bytes = 16 + chain_links_max;
  if (size < chance_bytes) return 0;
  const ByteView input = std::as_bytes(std::span(data, size));
  constexpr std::uint8_t hello_type = 1;
  const Result<Message> message = decode(hello_type, input.subspan(chance_bytes));
  if (!message.ok()) return 0;
  const Hello& hello = std::get<Hello>(*message);
  Decoder chance(input.first(chance_bytes));
  const HandshakeAnswer answer = decide_handshake(hello, facts_for(hello, chance));
  const Message reply = answer.refuse ? Message(*answer.refuse) : Message(answer.welcome);
  const Bytes body = encode(reply);
  CCR_ASSERT(decode(type_of(reply), body).ok());
  if (answer.refuse) {
    CCR_ASSERT(!answer.refuse->text.empty() && !answer.refuse->hint.empty());
  } else {
    CCR_ASSERT(answer.welcome.verdict != Verdict::forked || answer.welcome.fork.number != 0);
  }
  return 0;
}
