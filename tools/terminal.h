// What the standard streams are, and how an error is said on them.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "tools/exit_code.h"

namespace ccr::tools {

enum class ColorChoice { automatic, always, never };

bool stdout_color(ColorChoice choice);  // automatic: on a terminal, and neither NO_COLOR nor TERM=dumb
// What may lose something is asked for by its name on a terminal; elsewhere nobody can answer: false.
bool confirmed(const std::string& what, const std::string& name);
std::size_t stderr_columns();           // 0: no terminal

// "ccr: <message>" and "hint: <hint>" on stderr; control characters of foreign text are escaped.
ExitCode report(const Error& error);
std::string read_secret_line(const std::string& prompt);  // of stdin; on a terminal it is asked for and not shown
void note(const std::string& text);   // one line on stderr
void print(const std::string& text);  // to stdout, flushed

}  // namespace ccr::tools
