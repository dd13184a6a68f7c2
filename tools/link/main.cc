// link_emulator: the command line of the emulator. People use tools/linklab, which makes the namespaces around it.
#include <cstdio>

#include <CLI/CLI.hpp>

#include "tools/link/emulator.h"

int main(int argc, char** argv) {
  using namespace ccr;
  CLI::App app{"Joins two network namespaces by an emulated wire. See tools/linklab."};
  linklab::EmulatorOptions options;
  std::int64_t delay_nanoseconds = 0;
  bool patient = false;
  app.add_option("--namespace-a", options.namespace_a, "path of the namespace of one end")->required();
  app.add_option("--namespace-b", options.namespace_b, "path of the namespace of the other end")->required();
  app.add_option("--interface", options.interface, "name of the interface in both")->capture_default_str();
  app.add_option("--rate", options.link.rate_bits_per_second, "bits per second on the wire, each way")
      ->check(CLI::Range(std::uint64_t{8'000}, std::uint64_t{100'000'000'000}))
      ->capture_default_str();
  app.add_option("--delay-ns", delay_nanoseconds, "propagation, one way, in nanoseconds")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{10'000'000'000}))
      ->capture_default_str();
  app.add_option("--queue", options.link.queue_bytes, "wire bytes that may wait in front of each direction")
      ->check(CLI::Range(std::uint64_t{1'538}, std::uint64_t{1} << 30))
      ->capture_default_str();
  app.add_option("--loss-per-billion", options.link.loss_per_billion, "packets lost of 1,000,000,000")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1'000'000'000}))
      ->capture_default_str();
  app.add_option("--seed", options.link.seed, "of the losses; the same seed loses the same packets")->capture_default_str();
  app.add_flag("--with-parent", options.end_with_parent, "end when the parent process ends");
  app.add_flag("--patient", patient, "ordinary priority instead of real-time");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& refused) {
    return app.exit(refused) == 0 ? 0 : 2;
  }
  options.link.delay = Duration(delay_nanoseconds);
  options.urgent = !patient;
  const Result<void> ended = linklab::run_emulator(options);
  if (ended) return 0;
  std::fprintf(stderr, "link_emulator: %s\n", ended.error().message.c_str());
  if (!ended.error().hint.empty()) std::fprintf(stderr, "hint: %s\n", ended.error().hint.c_str());
  return ended.error().kind == ErrorKind::usage ? 2 : 1;
}
