#include "tools/link/emulator.h"

#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include <fmt/format.h>

#include "tools/link/direction.h"

namespace ccr::linklab {
namespace {

constexpr Duration early_max{100'000};  // a machine that needs longer to wake is too busy to be exact, and turning makes it worse
constexpr Duration early_step{1'000};
constexpr int urgent_priority = 1;  // above everything that is not real-time itself

Instant now() { return {std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count()}; }

double seconds(const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) / 1e6; }

double microseconds(Duration duration) { return double(duration.count()) / 1e3; }

std::string direction_json(const Direction& direction) {
  const LinkCounters& counted = direction.counters();
  return fmt::format(
      R"({{"packets_offered":{},"bytes_offered":{},"packets_carried":{},"bytes_carried":{},"dropped_by_queue":{},)"
      R"("dropped_by_loss":{},"queue_bytes_most":{},"trains":{},"refused":{},"late_us_p50":{:.1f},"late_us_p99":{:.1f},)"
      R"("late_us_most":{:.1f}}})",
      counted.packets_offered, counted.bytes_offered, counted.packets_carried, counted.bytes_carried,
      counted.packets_dropped_by_queue, counted.packets_dropped_by_loss, counted.queue_bytes_most, direction.trains(),
      direction.refused(), microseconds(direction.lateness().at_percent(50)), microseconds(direction.lateness().at_percent(99)),
      microseconds(direction.lateness().most()));
}

void say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

// The signals that are read, not handled; they stay blocked for the life of the process.
int signal_descriptor() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int one : {SIGUSR1, SIGINT, SIGTERM}) ::sigaddset(&signals, one);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  return ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

// Wakes to the nanosecond as far as the machine can, and before others; neither is needed to be right, only to be exact.
void become_prompt(bool urgent) {
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  sched_param parameters{};
  parameters.sched_priority = urgent_priority;
  if (urgent) ::sched_setscheduler(0, SCHED_FIFO, &parameters);
}

class Emulator {
 public:
  Emulator(const TunDevice& a, const TunDevice& b, const LinkOptions& options)
      : there_(a, b, options), back_(b, a, options_back(options)), signals_(signal_descriptor()), began_(now()) {
    ::getrusage(RUSAGE_SELF, &used_before_);  // making its memory is not the link's work
    poll_ = ::epoll_create1(EPOLL_CLOEXEC);
    watch(a.descriptor(), from_a);
    watch(b.descriptor(), from_b);
    watch(signals_, from_signals);
  }
  Emulator(const Emulator&) = delete;
  Emulator& operator=(const Emulator&) = delete;
  ~Emulator() {
    ::close(poll_);
    ::close(signals_);
  }

  Result<void> run() {
    for (;;) {
      const Instant turn = now();
      there_.deliver(turn);
      back_.deliver(turn);
      const Instant asleep = now();
      const std::uint32_t ready = wait();
      if ((ready & from_signals) != 0 && ended()) break;
      const Instant coming = std::max(asleep, now() + -early_);  // who was asleep sees a packet as late as it sees its timer
      if ((ready & from_a) != 0) {
        if (Result<void> received = there_.receive(coming); !received) return received;
      }
      if ((ready & from_b) != 0) {
        if (Result<void> received = back_.receive(coming); !received) return received;
      }
    }
    say(report());
    return {};
  }

 private:
  enum Source : std::uint32_t { from_a = 1, from_b = 2, from_signals = 4 };

  void watch(int descriptor, Source source) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = source;
    CCR_ASSERT(::epoll_ctl(poll_, EPOLL_CTL_ADD, descriptor, &event) == 0);
  }

  static LinkOptions options_back(LinkOptions options) {
    ++options.seed;
    return options;
  }

  std::string report() const {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return fmt::format(
        R"({{"seconds":{:.3f},"cpu_user_seconds":{:.3f},"cpu_system_seconds":{:.3f},"memory_kib":{},)"
        R"("a_to_b":{},"b_to_a":{}}})",
        std::chrono::duration<double>(now() - began_).count(), seconds(used.ru_utime) - seconds(used_before_.ru_utime),
        seconds(used.ru_stime) - seconds(used_before_.ru_stime), used.ru_maxrss, direction_json(there_), direction_json(back_));
  }

  bool ended() {
    signalfd_siginfo got{};
    while (::read(signals_, &got, sizeof got) == sizeof got) {
      if (got.ssi_signo != SIGUSR1) return true;
      say(report());
    }
    return false;
  }

  // Until a packet comes, or nearly until one is due: waking takes a machine 20 to 200 us, so it is woken that much earlier and
  // turns for the rest. Where packets are due closer together than that, it sleeps on: several at a time, a little late, cost a
  // fraction of what turning all the time would. Returns what is ready, of Source.
  std::uint32_t wait() {
    std::optional<Instant> due = there_.next_due();
    if (const std::optional<Instant> back = back_.next_due(); back && (!due || *back < *due)) due = back;
    timespec rest{};
    bool early = false;
    if (due && *due != turn_until_) {
      Duration left = std::max(*due - now(), Duration(0));
      early = left > early_;
      if (early) left -= early_;
      rest.tv_sec = left.count() / 1'000'000'000;
      rest.tv_nsec = left.count() % 1'000'000'000;
    }
    std::array<epoll_event, 3> events{};
    const int woken = ::epoll_pwait2(poll_, events.data(), static_cast<int>(events.size()), due ? &rest : nullptr, nullptr);
    if (woken == 0 && early) {
      turn_until_ = *due;
      learn_waking(now() > *due);
    }
    std::uint32_t ready = 0;
    for (int event = 0; event < woken; ++event) ready |= events[static_cast<std::size_t>(event)].data.u32;
    return ready;
  }

  // Three steps up and one down: three wakes of four come to be in time.
  void learn_waking(bool late) {
    early_ += late ? 3 * early_step : -early_step;
    early_ = std::clamp(early_, Duration(0), early_max);
  }

  Direction there_;
  Direction back_;
  int signals_;
  int poll_ = -1;
  Instant began_;
  rusage used_before_{};
  Duration early_{0};
  Instant turn_until_;  // woken early for the packet due then
};

}  // namespace

Result<void> run_emulator(const EmulatorOptions& options) {
  Result<TunDevice> a = TunDevice::open(options.namespace_a, options.interface);
  if (!a) return a.error();
  Result<TunDevice> b = TunDevice::open(options.namespace_b, options.interface);
  if (!b) return b.error();
  if (options.end_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  Emulator emulator(*a, *b, options.link);
  become_prompt(options.urgent);
  say("ready");
  return emulator.run();
}

}  // namespace ccr::linklab
