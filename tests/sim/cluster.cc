#include "tests/sim/cluster.h"

#include <algorithm>
#include <utility>

#include "base/digest.h"

#include <nlohmann/json.hpp>

namespace ccr::sim {

using engine::Node;

Cluster::Cluster(World& world, ClusterOptions options)
    : world_(world), options_(std::move(options)), served_by_(options_.nodes.front()), network_(world, options_.network) {
  for (std::size_t i = 0; i < options_.nodes.size(); ++i) {
    const std::string name = options_.nodes[i];
    NodeHostOptions host;
    host.name = name;
    for (int path = 0; path < options_.paths; ++path) host.addresses.push_back(address(i, path));
    host.disk = options_.disk;
    auto factory = [this, name](Incarnation& incarnation) { return live(name, incarnation); };
    hosts_.emplace(name, std::make_unique<NodeHost>(world_, network_, host, factory));
    hosts_.at(name)->trace().listener = [this](const std::string& node, const Event& event) {
      events_.push_back({world_.now(), node, event});
      if (on_event) on_event(node, event);
    };
  }
}

Cluster::~Cluster() {
  for (auto& [name, host] : hosts_)
    if (host->alive()) host->kill({Damage::process_only, Ordering::ordered});
}

engine::Config Cluster::config_of(const std::string& name) const {
  engine::Config config;
  config.cluster = "sim";
  config.node = name;
  config.state_dir = "/state";
  config.tls_off = !options_.over_network;
  config.transport.compression = options_.compression;
  config.transport.streams = options_.streams;
  config.transport.compression_memory_bytes = options_.compression_memory_bytes;
  config.scrub = options_.scrub;
  for (std::size_t i = 0; i < options_.nodes.size(); ++i) {
    engine::NodeConfig node;
    node.name = options_.nodes[i];
    for (int path = 0; path < options_.paths; ++path) node.addresses.push_back({address(i, path), 64327});
    config.nodes.emplace(node.name, node);
  }
  engine::DatabaseConfig orders;
  orders.name = database;
  orders.kind = options_.sqlite ? engine::DatabaseKind::sqlite : engine::DatabaseKind::pages;
  orders.path = "/data/orders.pages";
  orders.logs = "/log";
  orders.copies = options_.nodes;
  orders.generation_bytes = options_.generation_bytes;
  orders.log_budget_bytes = options_.log_budget_bytes;
  orders.page_size = options_.page_size;
  orders.seed_auto = options_.seed_auto;
  orders.commit = options_.commit;
  orders.commit_fallback = options_.commit_fallback;
  orders.replay_lag = options_.replay_lag;
  orders.truncation_lag = options_.truncation_lag;
  config.databases.emplace(orders.name, orders);
  if (options_.configure) options_.configure(name, config);
  return config;
}

// One life of a node. The directory of the page file is the user's: it is there before the node starts.
Task<Result<void>> Cluster::live(std::string name, Incarnation& incarnation) {
  CCR_CO_TRY(co_await incarnation.disk->make_directories("/data"));
  std::unique_ptr<transport::Network> over;
  if (options_.over_network) over = options_.over_network(name, incarnation);
  transport::Network& network = over ? *over : *incarnation.network;
  Node node(incarnation.executor, *incarnation.clock, *incarnation.disk, network, incarnation.random.fork(), *incarnation.trace,
            config_of(name), options_.sqlite, nullptr, options_.programs);
  struct Known {
    std::map<std::string, Node*>& nodes;
    std::string name;
    Known(std::map<std::string, Node*>& n, std::string k, Node& node) : nodes(n), name(std::move(k)) { nodes[name] = &node; }
    ~Known() { nodes.erase(name); }
  } known(nodes_, name, node);
  co_return co_await node.run();
}

Node* Cluster::node(const std::string& name) {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : found->second;
}

engine::Hosted* Cluster::hosted(const std::string& name) {
  Node* here = node(name);
  return here == nullptr ? nullptr : here->find(database);
}

engine::ActiveCopy* Cluster::active() {
  engine::ActiveCopy* copy = active(active_node());
  return copy != nullptr && copy->state().epoch == served_epoch_ ? copy : nullptr;
}

engine::ActiveCopy* Cluster::active(const std::string& name) {
  engine::Hosted* here = hosted(name);
  if (here == nullptr) return nullptr;
  engine::ActiveCopy* copy = here->active.get();
  return copy != nullptr && copy->ready() ? copy : nullptr;
}

std::string Cluster::active_node() {
  for (const std::string& name : options_.nodes) {
    const engine::ActiveCopy* copy = active(name);
    if (copy == nullptr || copy->state().epoch <= served_epoch_) continue;
    served_by_ = name;
    served_epoch_ = copy->state().epoch;
  }
  return served_by_;
}

engine::PassiveCopy* Cluster::passive(const std::string& name) {
  engine::Hosted* here = hosted(name);
  return here == nullptr || here->is_active_here ? nullptr : here->passive.get();
}

std::string Cluster::state(const std::string& name) {
  engine::Hosted* here = hosted(name);
  return here == nullptr ? "" : std::string(engine::name_of(here->standing->state()));
}

void Cluster::start_all() {
  for (auto& [name, host] : hosts_) host->start();
}

Task<Result<void>> Cluster::commit_task(engine::PageStore& store, std::vector<engine::PageWrite> writes, std::shared_ptr<Written> written) {
  struct Pending {
    std::uint64_t& count;
    explicit Pending(std::uint64_t& c) : count(c) { ++count; }
    ~Pending() { --count; }
  } pending(pending_);
  const Result<void> committed = co_await store.commit(std::move(writes));
  if (committed.ok()) {
    written->acknowledged = true;
    ++acknowledged_;
  }
  co_return Result<void>();
}

bool Cluster::commit(Random& random, std::vector<PageNumber> pages) {
  return commit_at(active_node(), random, std::move(pages));
}

bool Cluster::commit_at(const std::string& name, Random& random, std::vector<PageNumber> pages) {
  engine::ActiveCopy* copy = active(name);
  if (copy == nullptr || copy->store() == nullptr) return false;
  auto written = std::make_shared<Written>();
  written->sequence = ++sequence_;
  std::vector<engine::PageWrite> writes;
  for (const PageNumber page : pages) {
    Bytes image(options_.page_size);
    Encoder encoder(image);
    for (std::size_t i = 0; i < image.size(); i += 8) encoder.u64(random.next());
    written->pages[page] = page_digest(page, image);
    writes.push_back({page, std::move(image)});
  }
  history_.push_back(written);
  copy->group().spawn(commit_task(*copy->store(), std::move(writes), written));
  return true;
}

namespace {

class Unheard final : public engine::ControlReply {
 public:
  Task<Result<void>> progress(nlohmann::json) override { co_return Result<void>(); }
  Task<Result<void>> event(nlohmann::json) override { co_return Result<void>(); }
};

Task<Result<void>> run_command(Node& node, engine::ControlRequest request) {
  Unheard reply;
  static_cast<void>(co_await node.handle(std::move(request), reply));
  co_return Result<void>();
}

}  // namespace

void Cluster::request(const std::string& name, const std::string& line) {
  Node* here = node(name);
  Result<engine::ControlRequest> request = engine::ControlRequest::parse(line);
  CCR_ASSERT(request.ok());
  if (here != nullptr) here->spawn(run_command(*here, std::move(*request)));
}

void Cluster::request_seed(const std::string& name, engine::SeedRequest request) {
  engine::PassiveCopy* copy = passive(name);
  request.over_foreign = true;  // worlds lose directories, and whoever asks here knows it
  if (copy != nullptr && copy->opened()) node(name)->spawn(copy->seed(request));
}

void Cluster::request_suspend(const std::string& name) {
  engine::PassiveCopy* copy = passive(name);
  if (copy != nullptr && copy->opened()) node(name)->spawn(copy->suspend({"by the simulator", "operator"}));
}

void Cluster::request_resume(const std::string& name) {
  engine::PassiveCopy* copy = passive(name);
  if (copy != nullptr && copy->opened()) node(name)->spawn(copy->resume());
}

namespace {

Task<Result<void>> read_whole(storage::Disk& disk, std::string path, Bytes& content) {
  Result<std::unique_ptr<storage::File>> file = co_await disk.open(path, storage::OpenMode::read);
  if (!file.ok()) co_return file.error();
  const Result<std::uint64_t> size = co_await (*file)->size();
  if (!size.ok()) co_return size.error();
  content.resize(*size);
  const Result<std::size_t> got = co_await (*file)->read_at(0, content);
  if (!got.ok()) co_return got.error();
  CCR_ASSERT(*got == content.size());
  co_return Result<void>();
}

}  // namespace

// The node must be down: its disk is mounted for the look.
Result<Bytes> Cluster::page_file_of(const std::string& name) {
  CCR_ASSERT(!host(name).alive());
  Bytes content;
  TaskGroup group(world_.executor());
  const std::unique_ptr<storage::Disk> disk = host(name).disk().mount();
  std::optional<Result<void>> outcome;
  auto look = [&]() -> Task<Result<void>> {
    outcome = co_await read_whole(*disk, "/data/orders.pages", content);
    co_return Result<void>();
  };
  group.spawn(look());
  world_.run_until([&] { return group.running() == 0; }, std::chrono::minutes(10));
  CCR_ASSERT(outcome.has_value());
  if (!outcome->ok()) return outcome->error();
  return content;
}

Result<void> Cluster::check_content(const Bytes& content, const std::string& where) const {
  const std::size_t page_size = options_.page_size;
  std::map<PageNumber, std::set<Digest64>> allowed;
  for (const auto& written : history_) {
    for (const auto& [page, digest] : written->pages) {
      if (written->acknowledged) allowed[page].clear();  // nothing older may be there any more
      allowed[page].insert(digest);
      if (!written->acknowledged && allowed[page].size() == 1) allowed[page].insert(zero_digest(page));
    }
  }
  for (const auto& [page, digests] : allowed) {
    const bool there = std::size_t(page) * page_size <= content.size();
    const Digest64 digest = there ? page_digest(page, ByteView(content).subspan((page - 1) * page_size, page_size)) : zero_digest(page);
    if (digests.count(digest) == 0) {
      return Error{ErrorKind::corrupt, where + ": page " + std::to_string(page) + " does not hold what was acknowledged last", ""};
    }
  }
  return Result<void>();
}

Digest64 Cluster::zero_digest(PageNumber page) const {
  const Bytes zeros(options_.page_size);
  return page_digest(page, zeros);
}

std::vector<std::string> Cluster::events_of(const std::string& name) const {
  std::vector<std::string> found;
  for (const auto& [at, node, event] : events_) {
    if (event.name != name) continue;
    std::string line = node + " " + event.subject;
    for (const auto& [key, value] : event.fields) line += " " + key + "=" + value;
    found.push_back(line);
  }
  return found;
}

void Cluster::remark(const std::string& text) {
  world_.note("remark", digest64(as_bytes(text)));
  events_.push_back({world_.now(), "--", Event{text, "", {}}});
}

std::string Cluster::story() const {
  std::string text;
  for (const auto& [at, node, event] : events_) {
    text += std::to_string(at.nanoseconds / 1'000'000) + " ms " + node + " " + event.name + " " + event.subject;
    for (const auto& [key, value] : event.fields) text += " " + key + "=" + value;
    text += "\n";
  }
  return text;
}

}  // namespace ccr::sim
