// Programs that use a database as if ccr did not exist: sqlite_app in processes of their own, since an application's locks are not ours.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace ccr::storage::test {

inline std::string run_and_read(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  char buffer[512];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) out += buffer;
  ::pclose(pipe);
  return out;
}

inline std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char each : text) out += each == '\'' ? "'\\''" : std::string(1, each);
  return out + "'";
}

// name=value out of what sqlite_app printed.
inline double value_of(const std::string& output, const std::string& name) {
  const std::size_t at = output.find(name + "=");
  return at == std::string::npos ? -1 : std::atof(output.c_str() + at + name.size() + 1);
}

class Directory {
 public:
  Directory() {
    char name[] = "/tmp/ccr-sqlite-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  // Runs sqlite_app in a process of its own; an application's locks are not ours.
  static std::string app(const std::string& database, const std::vector<std::string>& arguments) {
    std::string command = std::string(SQLITE_APP) + " " + quoted(database);
    for (const std::string& each : arguments) command += " " + quoted(each);
    return run_and_read(command);
  }
  static std::string sql(const std::string& database, std::vector<std::string> statements) {
    statements.insert(statements.begin(), "run");
    return app(database, statements);
  }

  // The database as SQLite would read it now: a copy of file and WAL, checkpointed. Made by other processes: reading the file here and
  // closing it would drop the locks of the source under test.
  Bytes content(const std::string& database) const {
    const std::string copy = file("content.db");
    run_and_read("rm -f " + copy + "*; cp --sparse=always " + database + " " + copy + "; test -s " + database + "-wal && cp " + database + "-wal " +
                 copy + "-wal; true");
    sql(copy, {"SELECT count(*) FROM sqlite_schema", "PRAGMA wal_checkpoint(TRUNCATE)"});
    return content_of_file(copy);
  }
  // The file without its WAL; by a copy too, for the same reason.
  Bytes file_content(const std::string& database) const {
    const std::string copy = file("content.db");
    run_and_read("rm -f " + copy + "*; cp --sparse=always " + database + " " + copy);
    return content_of_file(copy);
  }

 private:
  static Bytes content_of_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream all;
    all << in.rdbuf();
    const std::string text = all.str();
    const ByteView bytes = as_bytes(text);
    return Bytes(bytes.begin(), bytes.end());
  }

  std::string path_;
};

// A running sqlite_app.
class Program {
 public:
  Program(const std::string& database, const std::vector<std::string>& arguments) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], 1);
      ::close(ends[0]);
      std::vector<std::string> all{SQLITE_APP, database};
      all.insert(all.end(), arguments.begin(), arguments.end());
      std::vector<char*> raw;
      for (std::string& each : all) raw.push_back(each.data());
      raw.push_back(nullptr);
      ::execv(SQLITE_APP, raw.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    out_ = ::fdopen(ends[0], "r");
  }
  ~Program() { finish(); }
  void wait_ready() {
    char line[64];
    if (std::fgets(line, sizeof line, out_) == nullptr) std::abort();
  }
  int process() const noexcept { return pid_; }
  void kill() { ::kill(pid_, SIGKILL); }
  std::string finish() {
    if (pid_ <= 0) return output_;
    char buffer[512];
    while (std::fgets(buffer, sizeof buffer, out_) != nullptr) output_ += buffer;
    std::fclose(out_);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    return output_;
  }

 private:
  pid_t pid_ = -1;
  FILE* out_ = nullptr;
  std::string output_;
};

}  // namespace ccr::storage::test
