#include "tools/terminal.h"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "tools/text_table.h"

namespace ccr::tools {
namespace {

constexpr std::size_t columns_default = 80;

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool dumb_terminal() {
  const char* value = std::getenv("TERM");
  return value == nullptr || std::string_view(value) == "dumb";
}

}  // namespace

bool stdout_color(ColorChoice choice) {
  if (choice != ColorChoice::automatic) return choice == ColorChoice::always;
  return ::isatty(STDOUT_FILENO) != 0 && !is_set("NO_COLOR") && !dumb_terminal();
}

std::string read_secret_line(const std::string& prompt) {
  std::string line;
  termios shown{};
  const bool terminal = ::isatty(STDIN_FILENO) != 0 && ::tcgetattr(STDIN_FILENO, &shown) == 0;
  if (terminal) {
    termios hidden = shown;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    std::cerr << prompt << std::flush;
  }
  std::getline(std::cin, line);
  if (terminal) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    std::cerr << std::endl;
  }
  return line;
}

bool confirmed(const std::string& what, const std::string& name) {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) return false;
  std::cerr << what << "\nType " << name << " to go on: " << std::flush;
  std::string line;
  std::getline(std::cin, line);
  return line == name;
}

std::size_t stderr_columns() {
  if (::isatty(STDERR_FILENO) == 0 || dumb_terminal()) return 0;
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0;
  return known ? size.ws_col : columns_default;
}

ExitCode report(const Error& error) {
  std::fprintf(stderr, "ccr: %s\n", escaped(error.message).c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "hint: %s\n", escaped(error.hint).c_str());
  return exit_code_of(error.kind);
}

void note(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace ccr::tools
