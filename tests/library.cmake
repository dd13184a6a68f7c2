# The library as a program outside the tree has it: installed, found, linked, and run beside an installed daemon.
add_dependencies(slow_tests ccr_library)
if(NOT CCR_SANITIZE)
  ccr_daemon_test(library COMMAND python3 ${PROJECT_SOURCE_DIR}/tests/real/library_install.py ${PROJECT_BINARY_DIR} ${PROJECT_SOURCE_DIR})
endif()
