# Somebody else's program: whatever ccr is built with, it is not.
add_executable(sqlite_app ${PROJECT_SOURCE_DIR}/tests/sqlite_app.cc)
target_link_libraries(sqlite_app PRIVATE PkgConfig::SQLITE3)
target_compile_options(sqlite_app PRIVATE -O2 -Wall -Wextra -Wpedantic)
ccr_test(sqlite SOURCES sqlite_wal_test.cc sqlite_marks_test.cc sqlite_source_test.cc sqlite_changes_test.cc sqlite_worker_test.cc sqlite_follower.cc sqlite_parting_test.cc sqlite_capture_test.cc
  LIBS ccr_storage TIMEOUT 120)
target_compile_definitions(sqlite_test PRIVATE SQLITE_APP="$<TARGET_FILE:sqlite_app>")
add_dependencies(sqlite_test sqlite_app)
add_dependencies(slow_tests sqlite_app)  # of tests/real
