#include "tests/sim/node_host.h"

#include "base/digest.h"

namespace ccr::sim {
namespace {

// A rebooted machine's clock starts again, somewhere in its first minutes, so a stored instant of an earlier boot means nothing.
constexpr std::uint64_t boot_nanoseconds_max = 300'000'000'000;

}  // namespace

void SimTrace::record(const Event& event) {
  std::uint64_t fields = 0;
  for (const auto& [key, value] : event.fields) fields = digest64(as_bytes(value), digest64(as_bytes(key), fields));
  world_.note(event.name, digest64(as_bytes(event.subject), digest64(as_bytes(node_))), fields);
  if (listener) listener(node_, event);
}

NodeHost::NodeHost(World& world, SimNetwork& network, NodeHostOptions options, Factory factory)
    : world_(world),
      network_(network),
      options_(std::move(options)),
      factory_(std::move(factory)),
      disk_(world, options_.name, options_.disk),
      trace_(world, options_.name),
      random_(world.random("node " + options_.name)),
      host_(network.add_host(options_.name, options_.addresses)) {
  clock_.booted = world.now();
  clock_.origin = {static_cast<std::int64_t>(random_.below(boot_nanoseconds_max))};
  clock_.drift_ppm = options_.drift_ppm;
  clock_.wall_offset = options_.wall_offset;
}

NodeHost::~NodeHost() {
  if (life_ != nullptr) kill({Damage::process_only, Ordering::ordered});
}

Task<Result<void>> NodeHost::run(Life& life) {
  outcome_.reset();
  const Result<void> result = co_await factory_(life.incarnation);
  outcome_ = result;
  co_return result;
}

void NodeHost::start() {
  CCR_ASSERT(!alive());
  if (life_ != nullptr) bury();
  life_ = std::make_unique<Life>(world_.executor());
  Incarnation& incarnation = life_->incarnation;
  incarnation.name = options_.name;
  incarnation.number = ++lives_;
  incarnation.executor = world_.executor();
  incarnation.clock = std::make_unique<SimClock>(world_, clock_);
  incarnation.disk = disk_.mount();
  incarnation.network = network_.attach(host_);
  incarnation.random = random_.fork();
  incarnation.trace = &trace_;
  world_.note("node.start", host_, lives_);
  life_->group.spawn(run(*life_));
}

void NodeHost::bury() {
  CCR_ASSERT(life_->group.running() == 0);
  if (!outcome_) outcome_.emplace();  // stopped: it unwound
  network_.die(host_, Death::closes);
  disk_.sever();
  life_.reset();
}

void NodeHost::kill(CrashStyle style) {
  const bool powerless = style.damage != Damage::process_only;
  if (life_ != nullptr) {
    if (!powerless) world_.count(Fault::process_kill, host_, lives_);
    frozen_ = false;
    life_->group.stop();
    disk_.crash(style);
    network_.die(host_, powerless ? Death::vanishes : Death::closes);
    life_->incarnation.clock->gate().sever();
    world_.settle();
    CCR_ASSERT(life_->group.running() == 0);  // a node must unwind without waiting for anything but its seams
    bury();
  } else {
    disk_.crash(style);
    network_.die(host_, powerless ? Death::vanishes : Death::closes);
  }
  if (!powerless) return;
  clock_.booted = world_.now();
  clock_.origin = {static_cast<std::int64_t>(random_.below(boot_nanoseconds_max))};
}

void NodeHost::ask_to_stop() {
  if (!alive()) return;
  thaw();
  world_.note("node.stop", host_, lives_);
  life_->group.stop();
}

void NodeHost::run_in_life(Task<Result<void>> task) {
  CCR_ASSERT(alive());
  life_->group.spawn(std::move(task), TaskGroup::OnError::keep_others);
}

Ended NodeHost::stop(Duration limit) {
  ask_to_stop();
  auto ended = [this] { return !alive(); };
  const Ended why = world_.run_until(ended, limit);
  if (why == Ended::reached && life_ != nullptr) bury();
  return why;
}

void NodeHost::freeze() {
  if (!alive() || frozen_) return;
  frozen_ = true;
  world_.count(Fault::pause, host_);
  disk_.pause();
  network_.pause(host_);
  life_->incarnation.clock->gate().close();
}

void NodeHost::thaw() {
  if (!frozen_) return;
  frozen_ = false;
  disk_.resume();
  network_.resume(host_);
  life_->incarnation.clock->gate().open();
}

void NodeHost::limit_descriptors(bool none) {
  disk_.options().no_descriptors = none;
  network_.limit_descriptors(host_, none);
}

void NodeHost::jump_wall(Duration by) {
  world_.count(Fault::wall_jump, host_);
  clock_.wall_offset += by;
}

}  // namespace ccr::sim
