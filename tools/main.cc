#include "tools/command_line.h"

int main(int count, char** arguments) { return static_cast<int>(ccr::tools::run_command_line(count, arguments)); }
