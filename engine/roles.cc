#include "engine/roles.h"

#include <algorithm>
#include <utility>

#include "base/timeout.h"
#include "engine/directories.h"
#include "engine/peer_client.h"
#include "engine/role_told.h"
#include "storage/generation_file.h"

namespace ccr::engine {

using transport::HandoverAnswer;
using transport::HandoverAsk;
using transport::HandoverStep;
using transport::RoleEntry;
using transport::RolesTold;

namespace {


// A whole list; its clock is that of the first message, which came at `heard`.
struct RolesHeard {
  RolesTold told;
  Instant heard;
  WallTime heard_wall;
};

Task<Result<void>> receive_roles(transport::FramedConnection& connection, const Clock& clock, RolesHeard& whole) {
  constexpr int messages_max = 64;
  for (int i = 0; i < messages_max; ++i) {
    Result<transport::Message> message = co_await connection.receive();
    if (!message.ok()) co_return message.error();
    auto* told = std::get_if<RolesTold>(&*message);
    if (told == nullptr) co_return transport::unexpected(*message, "a connection about roles");
    if (i == 0) whole = {RolesTold{{}, false, told->at, told->configuration}, clock.now(), clock.wall_now()};
    std::vector<RoleEntry>& entries = whole.told.entries;
    entries.insert(entries.end(), told->entries.begin(), told->entries.end());
    if (told->last) co_return Result<void>();
  }
  co_return Error{ErrorKind::protocol, connection.peer().text() + ": a list of roles without an end", ""};
}

transport::Hello hello_of_roles() {
  transport::Hello hello;
  hello.purpose = transport::Purpose::roles;
  return hello;
}

}  // namespace

Roles::Roles(NodeContext& context, Databases& databases)
    : context_(context), databases_(databases), configuration_(agreed_digest(context.config)), changed_(context.executor) {
  for (const auto& [name, node] : context.config.nodes)
    if (name != context.config.node) unanswered_.insert(name);
}

// --- asking ----------------------------------------------------------------------------------------------------------------

Task<Result<void>> Roles::watch(std::string peer) {
  for (;;) {
    static_cast<void>(co_await meet(peer));  // that it cannot be reached is shown by whoever needs it
    unanswered_.erase(peer);
    if (unanswered_.empty()) first_round_over_ = true;
    changed_.notify();
    co_await drop_old_cuts();
    // A handover is over in less than the interval of doubt, and its end is of interest.
    co_await context_.clock.sleep(doubt_interval);
    const Instant calm_until = context_.clock.now() + (calm_interval - doubt_interval);
    while (!doubtful(peer) && context_.clock.now() < calm_until) co_await context_.clock.sleep(doubt_interval);
  }
}

Task<Result<void>> Roles::end_first_round() {
  co_await context_.clock.sleep(first_round_limit);
  first_round_over_ = true;
  changed_.notify();
  co_return Result<void>();
}

Task<void> Roles::wait_first_round() {
  while (!first_round_over_ && !unanswered_.empty()) co_await changed_.wait();
}

Task<Result<void>> Roles::ask_once(std::string peer) {
  static_cast<void>(co_await meet(std::move(peer)));
  co_return Result<void>();
}

Task<Result<void>> Roles::ask_all(std::vector<std::string> peers) {
  co_await stop_point();
  TaskGroup asking(context_.executor);
  for (const std::string& peer : peers) asking.spawn(ask_once(peer));
  co_return co_await asking.join();
}

Task<Result<void>> Roles::ask_about(const Hosted& hosted) {
  if (!first_round_over_) co_return Result<void>();
  std::vector<std::string> others = hosted.config.copies;
  std::erase(others, context_.config.node);
  static_cast<void>(co_await with_timeout(context_.clock, first_round_limit, "the other copies", ask_all(std::move(others))));
  co_return Result<void>();
}

void Roles::configuration_changed() {
  configuration_ = agreed_digest(context_.config);
  for (auto& [name, told] : peers_) told.configuration_equal = told.configuration == configuration_;
}

bool Roles::doubtful(const std::string& peer) const {
  const auto told = peers_.find(peer);
  if (told == peers_.end() || !told->second.clock) return true;  // it never answered
  if (!told->second.configuration_equal) return true;            // one of the two changes it, or will
  for (const auto& [name, hosted] : databases_) {
    if (!hosted->config.has_copy(peer)) continue;
    const bool out_of_contact = hosted->is_active_here ? !hosted->copies->of(peer).connected : hosted->role.active == peer && !hosted->passive->connected();
    if (out_of_contact || hosted->agreed_since || !hosted->conflict.empty()) return true;
  }
  return false;
}

std::vector<RoleEntry> Roles::shared_with(const std::string& peer) const {
  std::vector<RoleEntry> entries;
  for (const auto& [name, hosted] : databases_) {
    if (!hosted->config.has_copy(peer) || !hosted->role_known) continue;
    entries.push_back(told_of(*hosted));
  }
  return entries;
}

// Who may use the file of an sqlite database that is served here: a copy that takes over gives its own the same.
Task<void> Roles::tell_access(RoleEntry& entry) {
  const auto found = databases_.find(entry.database);
  if (found == databases_.end() || !entry.serving || found->second->config.kind != DatabaseKind::sqlite) co_return;
  const Result<storage::FileAccess> access = co_await context_.disk.access(found->second->config.path);
  if (!access.ok()) co_return;  // its source says what is the matter
  entry.file_owner = access->owner;
  entry.file_group = access->group;
  entry.file_label = access->label;
  entry.file_mode = access->mode;
}

Task<Result<void>> Roles::tell(transport::FramedConnection& connection, std::string peer) {
  std::vector<RoleEntry> entries = shared_with(peer);
  for (RoleEntry& entry : entries) co_await tell_access(entry);
  std::size_t at = 0;
  do {
    RolesTold told;
    const std::size_t count = std::min(entries.size() - at, transport::roles_max);
    told.entries.assign(entries.begin() + static_cast<std::ptrdiff_t>(at), entries.begin() + static_cast<std::ptrdiff_t>(at + count));
    at += count;
    told.last = at == entries.size();
    told.at = context_.clock.wall_now();
    told.configuration = configuration_;
    transport::Message message(std::move(told));
    CCR_CO_TRY(co_await connection.send(std::move(message)));
  } while (at < entries.size());
  co_return Result<void>();
}

Task<Result<std::vector<RoleEntry>>> Roles::exchange(transport::FramedConnection& connection, std::string peer) {
  const Instant asked = context_.clock.now();
  const Result<void> told = co_await tell(connection, peer);
  if (!told.ok()) co_return told.error();
  RolesHeard whole;
  const Result<void> heard = co_await receive_roles(connection, context_.clock, whole);
  if (!heard.ok()) co_return heard.error();
  hear_of(peer, whole.told.configuration).clock = clock_seen(whole.told.at, whole.heard_wall, whole.heard - asked);
  co_return std::move(whole.told.entries);
}

// A connection on which both have told what they know; what the other one said is heard already.
Task<Result<Roles::Met>> Roles::meet(std::string node) {
  Met met;
  Result<PeerSession> session = co_await connect_to_active(context_, node, hello_of_roles());
  if (!session.ok()) co_return session.error();
  met.connection = std::move(session->connection);
  Result<std::vector<RoleEntry>> entries =
      co_await with_timeout(context_.clock, hello_timeout, "the roles of " + node, exchange(*met.connection, node));
  if (!entries.ok()) co_return entries.error();
  hear_all(node, *entries);
  met.entries = std::move(*entries);
  co_return std::move(met);
}

Task<Result<RoleEntry>> Roles::ask_role(std::string node, std::string database) {
  const Result<Met> met = co_await meet(node);
  if (!met.ok()) co_return met.error();
  for (const RoleEntry& entry : met->entries)
    if (entry.database == database) co_return entry;
  co_return Error{ErrorKind::not_found, "node " + node + " knows no role of " + database, "compare the databases in the configuration of both nodes"};
}

namespace {

Task<Result<HandoverAnswer>> ask_over(transport::FramedConnection& connection, HandoverAsk ask) {
  transport::Message message(std::move(ask));
  const Result<void> sent = co_await connection.send(std::move(message));
  if (!sent.ok()) co_return sent.error();
  Result<transport::Message> answer = co_await connection.receive();
  if (!answer.ok()) co_return answer.error();
  auto* granted = std::get_if<HandoverAnswer>(&*answer);
  if (granted == nullptr) co_return transport::unexpected(*answer, "a connection about roles");
  co_return std::move(*granted);
}

}  // namespace

Task<Result<HandoverAnswer>> Roles::ask(std::string node, HandoverAsk ask) {
  const std::string what = std::string("step ") + transport::name_of(ask.step) + " at " + node;
  const Result<Met> met = co_await meet(node);
  if (!met.ok()) co_return met.error();
  Result<HandoverAnswer> answer = co_await with_timeout(context_.clock, connection_life_max, what, ask_over(*met->connection, std::move(ask)));
  if (answer.ok() && !answer->granted) co_return Error{ErrorKind::refused, node + ": " + answer->text, answer->hint};
  co_return answer;
}

// --- being asked -----------------------------------------------------------------------------------------------------------

Task<Result<void>> Roles::serve(std::unique_ptr<transport::FramedConnection> connection, std::string peer) {
  const Result<void> ended = co_await with_timeout(context_.clock, connection_life_max, "a connection of " + peer + " about roles", answer(*connection, peer));
  if (!ended.ok() && ended.error().kind != ErrorKind::disconnected) {
    const Event event{"connection_ended", context_.config.node, {{"peer", peer}, {"purpose", "roles"}, {"cause", ended.error().message}}};
    context_.trace.record(event);
  }
  co_return Result<void>();  // a peer's end is not this node's error
}

Task<Result<void>> Roles::answer(transport::FramedConnection& connection, std::string peer) {
  RolesHeard whole;
  CCR_CO_TRY(co_await receive_roles(connection, context_.clock, whole));
  hear_of(peer, whole.told.configuration);
  hear_all(peer, whole.told.entries);
  CCR_CO_TRY(co_await tell(connection, peer));
  for (;;) {
    Result<transport::Message> message = co_await connection.receive();
    if (!message.ok()) co_return message.error();
    auto* asked = std::get_if<HandoverAsk>(&*message);
    if (asked == nullptr) co_return transport::unexpected(*message, "a connection about roles");
    const HandoverAsk ask = std::move(*asked);
    Result<HandoverAnswer> taken = co_await take_step(ask, peer);
    if (!taken.ok()) taken = HandoverAnswer{false, taken.error().message, taken.error().hint, {}, 0};
    transport::Message answered(std::move(*taken));
    CCR_CO_TRY(co_await connection.send(std::move(answered)));
  }
}

PeerTold& Roles::hear_of(const std::string& peer, Digest64 configuration) {
  PeerTold& told = peers_[peer];
  told.configuration = configuration;
  told.configuration_equal = configuration == configuration_;
  told.heard_at = context_.clock.wall_now();
  return told;
}

void Roles::hear_all(const std::string& peer, const std::vector<RoleEntry>& entries) {
  for (const RoleEntry& entry : entries) hear(peer, entry);
}

void Roles::hear(const std::string& peer, const RoleEntry& entry) {
  const auto found = databases_.find(entry.database);
  if (found == databases_.end()) return;
  Hosted& hosted = *found->second;
  if (!hosted.config.has_copy(peer) || !hosted.config.has_copy(entry.active)) return;
  if (!hosted.role_known) {
    hosted.heard[peer] = entry;
    return;
  }
  const Role now = hosted.wanted ? *hosted.wanted : role_of(hosted);
  Role there{entry.epoch, entry.active, entry.forced};
  if (there.epoch > now.epoch + epoch_jump_max) return;  // no history gets there by activations
  if (entry.signature == signature_of(hosted)) hosted.highest_epoch = std::max(hosted.highest_epoch, there.epoch);
  hear_of_backup(hosted, entry, now.epoch);
  hear_of_access(hosted, entry);
  switch (compare_roles(now, signature_of(hosted), there, entry.signature)) {
    case RoleVerdict::same:
    case RoleVerdict::older:
    case RoleVerdict::foreign: return;
    case RoleVerdict::newer: break;
    case RoleVerdict::conflict:
      if (entry.active == context_.config.node || !hosted.is_active_here || !hosted.conflict.empty()) return;
      return stop(hosted, "both " + hosted.role.active + " and " + entry.active + " were activated by force in epoch " + std::to_string(entry.epoch));
  }
  if (there.active == now.active && there.active != context_.config.node) return;  // the handshake of its log takes the epoch over
  const bool mine = there.active == context_.config.node;
  if (mine && !signature_of(hosted).known()) return;  // a node without a history: an empty mount, say, which its directories will tell
  if (mine && hosted.is_active_here)
    return stop(hosted, peer + " knows of epoch " + std::to_string(there.epoch) + " of this node, and its own state of " + std::to_string(now.epoch) + ": this node's disk is an older one");
  if (mine && prepared_of(hosted) != there.epoch) return;  // that agreement is not here: an older disk, say. A person activates it
  if (mine) return take_up(hosted, there.epoch, peer == hosted.role.active ? entry.end : Position{});
  if (hosted.is_active_here) there.forced = true;  // whatever came before: this node was not asked
  static_cast<void>(want(hosted, there));
}

bool Roles::want(Hosted& hosted, Role role) {
  if (hosted.wanted ? hosted.wanted->epoch == role.epoch && hosted.wanted->active == role.active
                    : hosted.role.epoch == role.epoch && hosted.role.active == role.active)
    return true;
  if (role.epoch <= std::max(role_of(hosted).epoch, hosted.wanted ? hosted.wanted->epoch : 0)) return false;
  hosted.wanted = std::move(role);
  hosted.role_changed.notify();
  return true;
}

void Roles::stop(Hosted& hosted, std::string conflict) {
  if (!hosted.conflict.empty() || !hosted.is_active_here) return;
  hosted.conflict = std::move(conflict);
  const Event event{"role_conflict", subject_of(hosted.config, context_.config.node), {{"cause", hosted.conflict}}};
  context_.trace.record(event);
  hosted.role_changed.notify();
}

Task<Result<void>> Roles::keep_conflict(Hosted& hosted) {
  storage::StateFile file(context_.disk, paths_of(context_.config, hosted.config, true).state_directory);
  Result<storage::CopyState> state = co_await file.load();
  if (!state.ok()) co_return state.error();
  if (state->failed && state->cause == hosted.conflict) co_return Result<void>();
  state->failed = true;
  state->cause = hosted.conflict;
  const storage::CopyState changed = *state;
  co_return co_await file.save(changed);
}

// --- the change itself -----------------------------------------------------------------------------------------------------

Task<Result<void>> Roles::settle(Hosted& hosted) {
  if (!hosted.role_known) {
    const std::string directory = paths_of(context_.config, hosted.config, true).state_directory;
    CCR_CO_TRY(co_await expect_own_state(context_, hosted.config, directory));
    storage::StateFile file(context_.disk, directory);
    const Result<storage::CopyState> state = co_await file.load();
    if (!state.ok() && state.error().kind != ErrorKind::not_found) co_return state.error();
    if (state.ok()) {
      CCR_CO_TRY(check_active_named(context_, hosted, *state));
      hosted.signature = state->signature;
      hosted.prepared = state->prepared;
      stand(hosted, role_of(*state, hosted.configured));
      if (hosted.is_active_here && state->failed) hosted.conflict = state->cause;
    } else {
      stand(hosted, Role{0, hosted.configured, false});
    }
    hosted.role_known = true;
    hosted.standing->enter(State::initializing, "");  // what failed before was of nobody's role
    for (const auto& [peer, entry] : std::exchange(hosted.heard, {})) hear(peer, entry);
  }
  if (hosted.is_active_here && !hosted.wanted) co_await wait_first_round();
  while (hosted.wanted && *hosted.wanted != hosted.role) {
    if (must_leave_first(hosted)) co_return Result<void>();
    const Role role = *hosted.wanted;
    CCR_CO_TRY(co_await enter(hosted, role));
  }
  hosted.wanted.reset();
  co_return Result<void>();
}

// Durable first; then it holds.
Task<Result<void>> Roles::enter(Hosted& hosted, Role role) {
  const CopyPaths paths = paths_of(context_.config, hosted.config, true);
  if (!hosted.is_active_here) co_await hosted.passive->leave();
  storage::StateFile file(context_.disk, paths.state_directory);
  Result<storage::CopyState> state = co_await file.load();
  if (!state.ok() && state.error().kind != ErrorKind::not_found) co_return state.error();
  if (state.ok()) {
    const Result<std::vector<storage::GenerationFile>> files = co_await storage::list_generations(context_.disk, paths.log_directory);
    if (!files.ok()) co_return files.error();
    const Generation first = files->empty() ? Generation{} : files->front().generation;
    take_role(*state, role, context_.config.node, hosted.config.copies, hosted.is_active_here, first);
    state->promote_due = hosted.config.kind == DatabaseKind::sqlite && role.active == context_.config.node;
    const storage::CopyState changed = *state;
    CCR_CO_TRY(co_await file.save(changed));
    hosted.signature = state->signature;
  }
  hosted.prepared = 0;
  const Event event{"role_changed", subject_of(hosted.config, context_.config.node),
                    {{"epoch", std::to_string(role.epoch)}, {"active", role.active}, {"forced", role.forced ? "true" : "false"}}};
  context_.trace.record(event);
  stand(hosted, role);
  hosted.standing->enter(State::initializing, "");
  co_return Result<void>();
}

void Roles::stand(Hosted& hosted, Role role) {
  std::vector<std::string>& copies = hosted.config.copies;
  put_first(copies, role.active);
  hosted.is_active_here = copies.front() == context_.config.node;
  std::vector<std::string> others(std::next(copies.begin()), copies.end());
  if (hosted.is_active_here) hosted.copies = std::make_unique<CopyTable>(context_.clock, std::move(others));
  hosted.conflict.clear();
  hosted.application_away = false;
  hosted.agreed_since.reset();
  if (hosted.is_active_here) hosted.last_tip = {};
  hosted.role = std::move(role);
  hosted.role_changed.notify();
  changed_.notify();
}

}  // namespace ccr::engine
