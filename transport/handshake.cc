#include "transport/handshake.h"

#include <algorithm>

namespace ccr::transport {
namespace {

std::string copy_text(const Hello& hello) { return hello.database + "@" + hello.from_node; }

std::string range_text(std::uint16_t low, std::uint16_t high) {
  return low == high ? std::to_string(low) : std::to_string(low) + " to " + std::to_string(high);
}

std::string list_text(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

Refuse refuse(RefuseReason reason, std::string text, std::string hint) { return {reason, std::move(text), std::move(hint)}; }

// The rules about who speaks with whom.
std::optional<Refuse> refuse_peer(const Hello& hello, const ActiveFacts& active) {
  if (hello.version_min > protocol_version_max || hello.version_max < protocol_version_min) {
    const std::string theirs = range_text(hello.version_min, hello.version_max);
    const std::string ours = range_text(protocol_version_min, protocol_version_max);
    return refuse(RefuseReason::version, "the copy speaks protocol " + theirs + ", " + active.node + " speaks " + ours,
                  "install the same version of ccr on both nodes (ccr version)");
  }
  if (!active.proven_peer.empty() && hello.from_node != active.proven_peer) {
    return refuse(RefuseReason::node,
                  "the hello says that node '" + hello.from_node + "' speaks, its certificate names '" + active.proven_peer + "'",
                  "start ccr there as --node " + active.proven_peer + ", or give it the files of its own name");
  }
  if (hello.cluster != active.cluster) {
    return refuse(
        RefuseReason::cluster,
        "node " + hello.from_node + " belongs to cluster '" + hello.cluster + "', " + active.node + " to '" + active.cluster + "'",
        "compare cluster and addresses in the configuration of both nodes");
  }
  if (hello.to_node != active.node) {
    return refuse(RefuseReason::node,
                  hello.from_node + " looks for node '" + hello.to_node + "' here, this is '" + active.node + "'",
                  "compare the addresses in the configuration of both nodes");
  }
  const bool any_node = !of_database(hello.purpose);
  const bool listed = std::find(active.copies.begin(), active.copies.end(), hello.from_node) != active.copies.end();
  if (hello.from_node == active.node || !listed) {
    if (any_node)
      return refuse(RefuseReason::node, "node '" + hello.from_node + "' is none that " + active.node + " knows: " + list_text(active.copies),
                    "compare [nodes] in the configuration of both nodes");
    return refuse(RefuseReason::node,
                  "node '" + hello.from_node + "' has no copy of '" + hello.database + "' by the configuration of " + active.node +
                      "; copies: " + list_text(active.copies),
                  "add it to copies of the database on both nodes, or on neither: ccr add, ccr forget");
  }
  return std::nullopt;
}

// The rules about the database.
std::optional<Refuse> refuse_database(const Hello& hello, const ActiveFacts& active) {
  if (hello.database != active.database) {
    return refuse(RefuseReason::database, "node " + active.node + " has no database '" + hello.database + "'",
                  "compare the databases in the configuration of both nodes");
  }
  const bool repair = hello.purpose == Purpose::repair;
  const bool fetch = hello.purpose == Purpose::fetch;
  if (!active.active && !repair && !fetch && hello.purpose != Purpose::pages) {
    const std::string text = active.database + "@" + active.node + " is not the active copy";
    if (active.active_node != hello.from_node || hello.epoch >= active.epoch) return refuse(RefuseReason::not_active, text, "ccr status shows which copy is");
    return refuse(RefuseReason::not_active, text + "; it knows of epoch " + std::to_string(active.epoch) + ", in which " + copy_text(hello) + " is",
                  "the disk of " + hello.from_node + " is an older one: `ccr activate " + active.database + " --on " + hello.from_node +
                      "` fetches what it lacks from " + active.node + ", and serves");
  }
  if (hello.kind != active.kind) {
    return refuse(RefuseReason::kind,
                  copy_text(hello) + " is of kind '" + hello.kind + "', the active copy of '" + active.kind + "'",
                  "compare kind in the configuration of both nodes");
  }
  if (!active.ready && repair) {
    return refuse(RefuseReason::not_ready, active.database + "@" + active.node + " has no proven pages now", "ccr status shows why");
  }
  if (!active.ready && fetch) {
    return refuse(RefuseReason::not_ready, active.database + "@" + active.node + " gives no log away: " + (active.active ? "it is the active copy" : "none is open"),
                  "ccr status shows why");
  }
  if (!active.ready && !active.active) {
    return refuse(RefuseReason::not_ready, active.database + "@" + active.node + " is not healthy: no source of pages", "ccr status shows why");
  }
  if (!active.ready) {
    return refuse(RefuseReason::not_ready, "the log of " + active.database + "@" + active.node + " is not open",
                  "ccr status shows why");
  }
  if (hello.epoch > active.epoch) {
    return refuse(RefuseReason::epoch,
                  copy_text(hello) + " has seen epoch " + std::to_string(hello.epoch) + ", the active copy on " + active.node +
                      " has epoch " + std::to_string(active.epoch),
                  "epoch " + std::to_string(hello.epoch) + " was a later activation than epoch " + std::to_string(active.epoch) +
                      ": find the copy that was activated last and activate that one");
  }
  return std::nullopt;
}

struct Judgement {
  Verdict verdict = Verdict::unknown;
  Generation fork;
};

enum class Comparison { equal, differs, not_comparable };

Comparison compare(const Hello& hello, const ActiveFacts& active, std::size_t point) {
  const std::optional<Digest128>& own = active.own_digests[point];
  if (!own) return Comparison::not_comparable;
  return *own == hello.chain[point].digest ? Comparison::equal : Comparison::differs;
}

Verdict judge_progress(Position wanted, Position durable) {
  if (wanted == durable) return Verdict::same;
  return wanted < durable ? Verdict::behind : Verdict::ahead;
}

// No point is equal. `lowest`: of the points that differ, none where nothing compares.
Judgement judge_without_anchor(const Hello& hello, const ActiveFacts& active, std::optional<Generation> lowest) {
  constexpr Generation first_of_all{1};
  if (lowest) return *lowest == first_of_all ? Judgement{Verdict::forked, first_of_all} : Judgement{};
  if (hello.wanted > active.durable) return {Verdict::ahead, {}};
  return hello.wanted.offset == 0 ? Judgement{Verdict::behind, {}} : Judgement{};
}

Judgement judge(const Hello& hello, const ActiveFacts& active) {
  if (!hello.signature.known()) return {Verdict::unseeded, {}};
  if (hello.signature != active.signature) return {Verdict::other_history, {}};
  if (!hello.wanted.known() || hello.wanted.generation < active.first) return {};

  std::optional<Generation> lowest_differing;
  for (std::size_t i = 0; i < hello.chain.size(); ++i) {
    const ChainPoint& point = hello.chain[i];
    const Comparison comparison = compare(hello, active, i);
    if (comparison == Comparison::differs) lowest_differing = point.generation;
    if (comparison != Comparison::equal) continue;
    const Generation behind = point.bytes == 0 ? point.generation.next() : point.generation;
    const Verdict progress = judge_progress(hello.wanted, active.durable);
    if (lowest_differing) return {Verdict::forked, behind};
    if (progress == Verdict::ahead) return {Verdict::ahead, behind};
    return i == 0 ? Judgement{progress, {}} : Judgement{Verdict::forked, behind};
  }
  return judge_without_anchor(hello, active, lowest_differing);
}

}  // namespace

HandshakeAnswer decide_handshake(const Hello& hello, const ActiveFacts& active) {
  HandshakeAnswer answer;
  answer.refuse = refuse_peer(hello, active);
  if (!answer.refuse && of_database(hello.purpose)) answer.refuse = refuse_database(hello, active);
  if (answer.refuse) return answer;
  answer.welcome.version = std::min(protocol_version_max, hello.version_max);
  answer.welcome.node = active.node;
  answer.welcome.session = hello.session;
  if (!of_database(hello.purpose)) return answer;

  CCR_ASSERT(active.own_digests.size() == hello.chain.size());
  const Judgement judgement = judge(hello, active);
  CCR_ASSERT(judgement.verdict != Verdict::forked || judgement.fork.number != 0);
  Welcome& welcome = answer.welcome;
  welcome.signature = active.signature;
  welcome.epoch = active.epoch;
  welcome.page_size = active.page_size;
  welcome.generation_bytes = active.generation_bytes;
  welcome.verdict = judgement.verdict;
  welcome.fork = judgement.fork;
  welcome.first = active.first;
  welcome.durable = active.durable;
  welcome.durable_commit = active.durable_commit;
  welcome.forced = active.forced;
  return answer;
}

Result<void> check_welcome(const Hello& hello, const Welcome& welcome) {
  const auto refused = [&](const std::string& what, const std::string& found, const std::string& expected) {
    return Error{ErrorKind::protocol, hello.to_node + " welcomed " + what + " " + found + ", expected " + expected, ""};
  };
  if (welcome.session != hello.session) return refused("session", to_hex(welcome.session), to_hex(hello.session));
  if (welcome.node != hello.to_node) return refused("as node", "'" + welcome.node + "'", "'" + hello.to_node + "'");
  if (welcome.version < hello.version_min || welcome.version > hello.version_max) {
    return refused("protocol", std::to_string(welcome.version), range_text(hello.version_min, hello.version_max));
  }
  if (welcome.epoch < hello.epoch) {
    return refused("epoch", std::to_string(welcome.epoch), std::to_string(hello.epoch) + " or above, which this copy has seen");
  }
  return {};
}

}  // namespace ccr::transport
