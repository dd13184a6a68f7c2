// The fields of the messages of a repair, in wire order, for transport/messages.cc.
#pragma once

#include "transport/body_codec.h"
#include "transport/messages.h"
#include "transport/repair_messages.h"

namespace ccr::transport {

template <class A>
void fields(A& a, typename A::template Ref<PageAsk> m) {
  a.u32(m.page);
  a.u64(m.digest);
  a.require(m.page != 0, "page 0");
}

inline constexpr std::size_t page_answer_fields = 4 + 1 + 3 + 16;
template <class A>
void fields(A& a, typename A::template Ref<PageAnswer> m) {
  using Standing = PageAnswer::Standing;
  a.u32(m.page);
  a.word(m.standing, Standing::later);
  a.zeros(3);
  a.position(m.as_of);
  a.tail(m.image);
  a.require(m.page != 0, "page 0");
  if (m.standing == Standing::same) {
    a.require(m.image.size() >= page_bytes_min && m.image.size() <= page_bytes_max, "an image that is no page");
    a.require((m.image.size() & (m.image.size() - 1)) == 0, "an image that is no page");
  } else {
    a.require(m.image.empty(), "an image where none can be");
  }
}

}  // namespace ccr::transport
