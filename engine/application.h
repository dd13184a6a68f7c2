// Application is whatever uses an SQLite database by its own file, as the active copy sees it: it is ended and started by commands of the
// user's (on_demote, on_promote), and the file goes and comes with the role.
//
//   passive copy   <path>.copy    ours; no program knows the name
//   active copy    <path>         the programs'; never written by us
//
// A state with promote_due says that the way back is not ended: a life of the active copy that finds it brings the file to its place and runs
// on_promote, until that ends well. It is durable before on_demote runs, so that a crash, or a handover that comes to nothing, ends with the
// application as it was. Once the role is another node's, it is off.
// take_away() is refused while another process has the file open. Where this node was deposed it is tried again until that ends.
// Lifetime: a part of the active copy's life. Threads: the node's executor. Bounds: command_limit, part_limit; start_tries_max in a life.
#pragma once

#include <optional>
#include <string>

#include "base/programs.h"
#include "base/signal.h"
#include "engine/node_context.h"
#include "engine/state_keeper.h"

namespace ccr::engine {

class ActiveCopy;

class Application {
 public:
  static constexpr Duration command_limit = std::chrono::seconds(60);
  static constexpr Duration part_limit = std::chrono::seconds(20);
  static constexpr Duration leave_pause = std::chrono::seconds(2), leave_pause_max = std::chrono::seconds(30), start_pause = std::chrono::seconds(30);
  static constexpr int start_tries_max = 5;

  Application(NodeContext& context, const DatabaseConfig& database, CopyPaths paths, StateKeeper& keeper, ActiveCopy& copy);

  // Of a passive copy, before anything is changed for it. refused: a file of another's is in the place that this one's takes when it is the active one.
  static Task<Result<void>> check_place(NodeContext& context, const DatabaseConfig& database);

  // The passive copy's file, where it is not brought to its place yet; empty: nothing is to be done.
  Task<Result<std::string>> file_to_bring();
  Task<Result<void>> bring(std::string from);  // durable at completion. identity: something is at that place
  Task<Result<void>> start();                  // tasks of the life
  Task<Result<void>> leave_when_asked();

  // No program has the file, everything of it is in the log and in the state, and it has the passive copy's name.
  Task<Result<void>> take_away();
  // unsupported: the file cannot be taken from programs by this name. For a move, before anything is ended for it.
  Result<void> may_leave() const;
  void ask_to_leave();  // take_away(), again and again, with longer pauses
  void give_back();     // ends the life; the next one undoes take_away()
  bool away() const noexcept { return away_; }
  bool starting() const noexcept { return starting_; }
  bool given_back() const noexcept { return given_back_; }
  const std::string& cause() const noexcept { return cause_.empty() ? access_cause_ : cause_; }  // why the application is not as it should be; empty: it is
  void parted(Result<void> outcome);                            // the source's answer

 private:
  Task<Result<void>> run_command(const std::string& key, const std::string& command);
  Task<void> give_access(std::string file);
  Task<Result<void>> part();
  Task<Result<void>> move_away();
  void tell(const char* event, std::vector<std::pair<std::string, std::string>> fields);
  void show(std::string cause);

  NodeContext& context_;
  const DatabaseConfig& database_;
  CopyPaths paths_;
  StateKeeper& keeper_;
  ActiveCopy& copy_;
  Signal changed_;
  std::optional<Result<void>> answer_;  // of the source
  std::string cause_, access_cause_;
  std::string failure_told_;  // of a command, which an event tells once however often it fails like that
  bool demoted_ = false;  // on_demote ended well in this life
  bool away_ = false, leaving_ = false, starting_ = false, given_back_ = false;
};

}  // namespace ccr::engine
