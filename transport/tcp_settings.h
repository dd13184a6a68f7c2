// The window and the congestion control that the configuration asks for, and how a socket gets them.
//
// A window by hand is what the peer may have in flight: a receive buffer of that size and TCP_WINDOW_CLAMP, because either alone is
// not the window, set before connect and listen, because the scale that the SYN tells is made from them. The kernel forgets the
// clamp when it first learns how large the peer's segments are (Linux since 6.6 sets it to what the buffer holds: a third more), so
// it is set again while bytes cross (transport/tcp_tuner.h). The send buffer is made for the same window, for the other direction.
//
// auto: the kernel's own tuning, and beyond it transport/window_control.h. Beyond it the SYN's scale matters too: it is made from
// tcp_rmem and rmem_max, 7 with most distributions, which is 8 MiB for ever. Where this process may, the buffer is large while the
// SYN is made, and given back to the kernel's tuning after: on a listener's side once it is accepted, so what waits for that may fill it.
//
// Completion: at once. Failure: a kernel that refuses leaves a socket as it was; what it has is read back (transport/tcp_facts.h).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "transport/window_control.h"
#include "transport/window_plan.h"

namespace ccr::transport {

struct TcpSettings {
  std::uint64_t window = 0;            // bytes; 0: auto
  std::string congestion = "default";  // the kernel's; or a name that it knows; or auto: cubic, and bbr once losses ask for it
  HostLimits limits;                   // as sysctl has them; without them auto leaves the buffers to the kernel
};

// How far this process may set buffers, by asking the kernel on a socket of its own: CAP_NET_ADMIN reaches 2 GiB, others
// twice rmem_max and wmem_max. Zeros: nothing can be asked.
BufferPair reach_of_process();

// config: the kernel has no such congestion control (the error names those it has), or this process may not use it.
// `available`: their names, for that error.
Result<void> try_congestion(const std::string& name, const std::string& available);

// Before connect or listen.
void prepare_socket(int socket, const TcpSettings& settings, const BufferPair& reach);
// Once connected, also when it was accepted.
void settle_socket(int socket, const TcpSettings& settings, const BufferPair& reach);

// Both buffers and the clamp for settings.window, which is above 0, as far as they may be set.
void set_window(int socket, const TcpSettings& settings, const BufferPair& reach);
bool set_window_clamp(int socket, std::uint64_t bytes);
bool set_congestion(int socket, const std::string& name);
// As the kernel counts, which doubles what it is asked; both never make a buffer smaller.
void grow_send_buffer(int socket, std::uint64_t bytes);
void grow_receive_buffer(int socket, std::uint64_t bytes);

}  // namespace ccr::transport
