// How databases and copies come to a node that runs, and go from it. What may come and go is decided in engine/membership.h.
//
// A copy that goes ends as it does when the node stops; then its state and its files are nobody's in this process. Its Hosted stays in memory, without a
// life: commands and connections that were under way end upon it by themselves.
#include <algorithm>

#include "base/timeout.h"
#include "engine/node.h"
#include "engine/role_told.h"

namespace ccr::engine {

Hosted& Node::add_hosted(const DatabaseConfig& database) {
  CCR_ASSERT(!databases_.contains(database.name));
  auto hosted = std::make_unique<Hosted>(executor_);
  hosted->config = database;
  hosted->configured = database.copies.front();
  hosted->standing = std::make_unique<CopyStanding>(subject_of(database, config_.node), State::initializing, context_.clock, events_);
  hosted->scrub = std::make_unique<Scrub>(context_, subject_of(database, config_.node));
  hosted->passive = std::make_unique<PassiveCopy>(context_, hosted->config, *hosted->standing, *hosted->scrub);
  roles_.stand(*hosted, Role{0, hosted->configured, false});  // until its state is read
  return *databases_.emplace(database.name, std::move(hosted)).first->second;
}

Task<MembershipFacts> Node::facts_of(const MembershipChange& change) {
  MembershipFacts facts;
  Hosted* hosted = find(change.database);
  if (hosted == nullptr) co_return facts;
  facts.active = hosted->config.copies.front();
  facts.handing_over = hosted->handing_over || hosted->wanted.has_value() || prepared_of(*hosted) != 0;
  facts.seeding = !hosted->is_active_here && hosted->passive->seeding();
  facts.backing_up = hosted->backup != nullptr && !hosted->backup->ended();
  for (const auto& [key, connections] : hosted->connections) {
    const bool of_seed = key.second == static_cast<int>(transport::Purpose::seed) || key.second == static_cast<int>(transport::Purpose::pages);
    if (of_seed && !connections.empty()) facts.seeds.insert(key.first);
  }
  if (change.here != MembershipChange::Here::ends || !change.whole || !hosted->is_active_here) co_return facts;
  const std::vector<std::string> others(std::next(hosted->config.copies.begin()), hosted->config.copies.end());
  for (const std::string& node : others) {
    const Result<transport::RoleEntry> told = co_await roles_.ask_role(node, change.database);
    const bool answered = told.ok() || told.error().kind == ErrorKind::not_found;
    if (told.ok()) facts.count_on_it.insert(node);
    else if (!answered || roles_.configured_alike(node)) facts.silent.insert(node);  // it has a copy, and does not know its role yet
  }
  co_return facts;
}

Task<Result<std::vector<MembershipChange>>> Node::judge_membership(const Config& read) {
  std::vector<MembershipChange> changes = membership_changes(config_, read);
  std::size_t ends = 0;
  for (const MembershipChange& change : changes) {
    const MembershipFacts facts = co_await facts_of(change);
    const Result<void> allowed = check_membership(config_, read, change, facts);
    if (!allowed.ok()) co_return allowed.error();
    if (change.here == MembershipChange::Here::ends) ++ends;
  }
  if (forgotten_.size() + ends > forgotten_max) co_return Error{ErrorKind::refused, "this daemon has forgotten " + std::to_string(forgotten_max) + " copies", "systemctl restart ccr"};
  Config after = config_;
  engine::take_membership(after, read, changes);
  const Result<void> places = check_places(after);
  if (!places.ok()) co_return places.error();
  co_return std::move(changes);
}

Task<void> Node::forget(Hosted& hosted) {
  hosted.forgotten = true;
  for (const auto& [key, connections] : hosted.connections)
    for (transport::FramedConnection* connection : connections) connection->close();
  if (hosted.verification && !hosted.verification->ended()) hosted.verification->cancel();  // it may be waiting for its rate
  if (hosted.lives != nullptr) hosted.lives->stop();
  while (hosted.lives != nullptr) co_await hosted.role_changed.wait();
  co_await hosted.passive->leave();
  const auto found = databases_.find(hosted.config.name);
  CCR_ASSERT(found != databases_.end() && found->second.get() == &hosted);
  forgotten_.push_back(std::move(found->second));
  databases_.erase(found);
}

// From here on nobody of those that went is let in; then those that are in end, and nothing is held for them any more.
Task<Result<void>> Node::change_copies(Hosted& hosted, const std::vector<std::string>& copies, const MembershipChange& change) {
  constexpr Duration end_limit = std::chrono::seconds(10), look_again = std::chrono::milliseconds(5);
  hosted.config.copies = copies_now(copies, hosted.config.copies.front());
  hosted.configured = copies.front();
  if (!hosted.is_active_here) co_return Result<void>();
  for (const std::string& node : change.added) hosted.copies->add(node);
  const auto those_that_went = [&hosted, &change](const auto& act) {
    for (const auto& [key, connections] : hosted.connections)
      if (std::find(change.gone.begin(), change.gone.end(), key.first) != change.gone.end())
        for (transport::FramedConnection* connection : connections) act(*connection);
  };
  const auto close = [](transport::FramedConnection& connection) { connection.close(); };
  those_that_went(close);
  const Instant end = context_.clock.now() + end_limit;
  for (bool open = true; open && context_.clock.now() < end;) {
    open = false;
    const auto count = [&open](transport::FramedConnection&) { open = true; };
    those_that_went(count);
    if (open) co_await context_.clock.sleep(look_again);
  }
  if (!hosted.is_active_here) co_return Result<void>();
  for (const std::string& node : change.gone) hosted.copies->forget(node);
  if (!hosted.active || !hosted.active->ready()) co_return Result<void>();  // the next mount lets their log go
  drop_foreign_pins(hosted.active->keeper().state().pins, hosted.config.copies);  // saved with whatever its own tasks save; each mount drops them too
  co_return Result<void>();
}

Task<Result<void>> Node::take_membership(const Config& read, const std::vector<MembershipChange>& changes) {
  Result<void> outcome;
  for (const MembershipChange& change : changes) {
    Hosted* hosted = find(change.database);
    const std::string subject = change.database + "@" + config_.node;
    if (change.here == MembershipChange::Here::ends && hosted != nullptr) co_await forget(*hosted);
    if (change.here == MembershipChange::Here::goes_on) {
      const std::vector<std::string> copies = read.databases.at(change.database).copies;
      const Result<void> changed = co_await change_copies(*hosted, copies, change);
      if (!changed.ok()) outcome = changed.error();
    }
    engine::take_membership(config_, read, {change});
    roles_.configuration_changed();
    if (change.here == MembershipChange::Here::begins && work_ != nullptr) work_->spawn(keep(add_hosted(config_.databases.at(change.database))));
    const Event event{"copies_changed", subject, {{"change", change.text()}}};
    events_.record(event);
  }
  co_return outcome;
}

}  // namespace ccr::engine
