// SimNetwork is the fabric between the machines of one world: hosts with addresses, one link for each ordered pair, byte streams.
//
// attach() gives one life of a node its Network; die() ends that life: 'closes' as a kernel does for a killed process (every
// connection ends or is reset), 'vanishes' as a machine without power (nobody is told; when the host is back it answers old streams
// with a reset). Pending and later calls of a dead life fail with ErrorKind::stopped.
//
// A stream keeps order and bytes as TCP does: what a partition or a stall holds up arrives after it, late. One direction holds at
// most buffer_bytes between write() and the peer's read, then write() waits; room comes back only over the reverse link, so a
// one-way partition stops both directions in the end. close() with unread bytes resets the connection, and may lose what was just
// written; so does a segment that meets a closed end. A connect that gets no answer is tried for connect_limit.
//
// Faults come by chance (NetworkOptions: per segment, or as weather), by call, or by plan: a host's own calls that fail. A connect that fails is
// refused or gets no answer, by chance; listen() and accept() find no descriptor, and who knocked waits on; a read that would give bytes and a write
// find the connection reset, on both sides and after any part of what was on its way. Nothing here reads real time or opens a socket.
// Lifetime: the world outlives it, it outlives its networks and connections' use; do not run the world after it is gone. Threads:
// one.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/sim_stream.h"
#include "transport/network.h"

namespace ccr::sim {

struct NetworkOptions {
  Duration delay_min = std::chrono::microseconds(50), delay_max = std::chrono::microseconds(500);
  std::uint64_t bytes_per_second = 125'000'000;  // of a link
  std::uint64_t buffer_bytes = 256 * KiB;        // of one direction of a connection
  std::uint64_t segment_bytes_max = 64 * KiB;
  std::size_t backlog_max = 128;                         // connections that wait for accept(); more get no answer
  Duration connect_limit = std::chrono::seconds(127);    // Linux: 6 retries of a SYN
  Duration retransmit_limit = std::chrono::minutes(15);  // Linux: 15 retries
  std::uint32_t short_read_ppm = 100'000;                // a read gives less than there is: no fault, but allowed
  // Faults per million segments.
  std::uint32_t cut_ppm = 0, stall_ppm = 0, loss_ppm = 0, bit_flip_ppm = 0;
  Duration stall_max = std::chrono::seconds(3);
  // Weather: the mean time between two of them, 0 for never.
  Duration partition_every{0}, half_open_every{0};
  Duration partition_max = std::chrono::seconds(20);
};

enum class Death { closes, vanishes };

enum class NetworkAction { connect, listen, accept, read, write, any };

// Fails a host's operations of one kind: the first `skip` of them pass, the next `times` fail. An accept() or a read counts once there is something for it.
struct NetworkPlan {
  NetworkAction action = NetworkAction::any;
  std::uint64_t skip = 0;
  std::uint64_t times = 1;
};

class SimNetwork {
 public:
  SimNetwork(World& world, NetworkOptions options = {});
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  HostId add_host(std::string name, std::vector<std::string> addresses);
  std::unique_ptr<transport::Network> attach(HostId host);
  void die(HostId host, Death death);
  void pause(HostId host);
  void resume(HostId host);
  // What a host says that has no descriptor left, to connect(), listen() and accept(); what is open goes on.
  void limit_descriptors(HostId host, bool none) { hosts_.at(host).no_descriptors = none; }

  void plan(HostId host, NetworkPlan plan) { hosts_.at(host).plans.push_back(plan); }
  void clear_plans(HostId host) { hosts_.at(host).plans.clear(); }

  // One direction: bytes vanish until unblock(), and nobody is told. Calls nest.
  void block(HostId from, HostId to);
  void unblock(HostId from, HostId to);
  void partition(HostId a, HostId b);  // both directions
  void heal(HostId a, HostId b);
  void lose(const std::string& address);     // nothing passes to or from it: one of several paths to its host is gone
  void restore(const std::string& address);
  void heal_all();  // blocks and stalls, of calls and of weather; half-open connections stay so
  void stall(HostId from, HostId to, Duration duration);  // a clogged link: everything arrives later
  std::size_t cut(HostId a, HostId b);                    // resets every connection between them at any byte; how many
  // Their connections pass nothing any more, and nobody is told; how many. `which`: that one alone, in the order in which they were made.
  std::size_t half_open(HostId a, HostId b, std::optional<std::size_t> which = std::nullopt);
  void start_weather();
  void stop_weather() { ++weather_round_; }

  NetworkOptions& options() noexcept { return options_; }
  std::size_t connections() const noexcept { return streams_.size(); }
  std::size_t connections(HostId a, HostId b) const;
  std::size_t connections_over(const std::string& address) const;  // that were made to it

  // --- for the ports of sim_ports.cc only ---
  struct Session;  // one life of a host on the fabric
  struct Listening;
  Task<Result<std::unique_ptr<transport::Connection>>> connect(std::shared_ptr<Session> session, transport::Endpoint to);
  Result<std::unique_ptr<transport::Listener>> listen(const std::shared_ptr<Session>& session, const transport::Endpoint& at);
  void stop_listening(Listening& listening);
  void send(Stream& stream, int from, Bytes bytes, SegmentKind kind);
  std::size_t take(Stream& stream, int side, ByteSpan into);  // from the inbox, which is not empty
  std::uint64_t room(const Stream& stream, int side) const;
  void close(Stream& stream, int side);
  Result<void> take_descriptor(HostId host, const std::string& what);
  bool planned(HostId host, NetworkAction action);  // to fail; counts the operation
  void break_off(Stream& stream, int side);         // what failed there: it is reset, and nothing more is read at `side`

 private:
  struct Host {
    std::string name;
    std::vector<std::string> addresses;
    std::shared_ptr<Session> session;  // null: no node runs there
    bool powered = false;              // else nothing answers, not even with a refusal
    bool no_descriptors = false;
    std::vector<NetworkPlan> plans{};
  };
  struct Link {
    int blocks = 0;
    Instant stalled_until;
    Instant busy_until;
  };
  enum class Answer { none, refused, accepted };

  Link& link(HostId from, HostId to) { return links_[from][to]; }
  Duration draw_delay();
  Duration draw_retransmission();
  bool drawn(std::uint32_t ppm) { return ppm > 0 && random_.chance(ppm, 1'000'000); }
  bool passes(HostId from, HostId to) { return link(from, to).blocks == 0; }
  bool passes(const Stream& stream, int from) {
    return !stream.half_open && !lost_.contains(stream.ends[1].address.host) && passes(stream.ends[from].host, stream.ends[1 - from].host);
  }

  Answer knock(Session& session, const transport::Endpoint& to, std::shared_ptr<Stream>& made);
  Listening* listening_at(HostId host, const transport::Endpoint& at);
  HostId host_of(const std::string& address) const;  // hosts_.size(): nobody's
  std::shared_ptr<Stream> make_stream(HostId client, HostId server, const transport::Endpoint& at);

  void schedule_arrival(Stream& stream, int from);
  void arrive(Stream& stream, int from);
  void deliver(Stream& stream, int from, Segment segment);
  void answer_with_reset(Stream& stream, int side);  // the host of `side` knows no such stream
  void get_stuck(Stream& stream, int from);
  void retry(Stream& stream, Duration after);  // what is stuck
  void return_credit(Stream& stream, int side);
  void reset(Stream& stream, int side);
  void drop_travelling(End& end);
  void vanish(Stream& stream, int side);
  void cut(Stream& stream);
  void remove_if_over(Stream& stream);
  template <class Function>
  void for_each_stream(Function function) {
    for (auto at = streams_.begin(); at != streams_.end();) {
      const std::shared_ptr<Stream> stream = at->second;  // the function may remove it
      ++at;
      function(*stream);
    }
  }

  void schedule_partition();
  void schedule_half_open();

  World& world_;
  NetworkOptions options_;
  Random random_;
  std::vector<Host> hosts_;
  std::vector<std::vector<Link>> links_;
  std::set<std::string> lost_;  // addresses
  std::map<std::uint64_t, std::shared_ptr<Stream>> streams_;
  std::vector<Listening*> listeners_;
  std::uint64_t next_stream_ = 1;
  std::uint16_t next_port_ = 32'768;
  std::uint64_t weather_round_ = 0;  // events of an older round do nothing
  std::uint64_t heal_round_ = 0;
};

}  // namespace ccr::sim
