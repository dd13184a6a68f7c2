// Messages of a connection that repairs (transport/messages.h has the rest): one node asks another for a page whose bytes rotted on its disk.
//
// Any node with a copy of the database may ask any other one with a copy. The asker names the digest that its own table has for the page; an
// image comes only where the other node's table has the same digest and its disk holds what that digest says. So whatever either side
// applies meanwhile, what is accepted is exact.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/position.h"

namespace ccr::transport {

struct PageAsk {
  PageNumber page = 1;
  Digest64 digest = 0;  // of what the page should hold
};

struct PageAnswer {
  enum class Standing : std::uint8_t {
    same = 1,  // its table says the same, and here is the page
    other,     // its table says something else: one of the two is ahead, or they are no copies of each other
    damaged,   // its table says the same, but its disk does not hold that
    later,     // it cannot tell now
  };
  PageNumber page = 1;
  Standing standing = Standing::later;
  Position as_of;  // of `other`: where its table stands; else may be unknown
  ByteView image;  // of `same`; views the frame
};

}  // namespace ccr::transport
