# Capture of SQLite databases: the only part that links sqlite3.
add_library(ccr_sqlite STATIC
  sqlite/file_state.cc sqlite/mark_policy.cc sqlite/newest_pages.cc sqlite/source_channel.cc sqlite/sqlite_cursor.cc
  sqlite/sqlite_session.cc sqlite/sqlite_source.cc sqlite/sqlite_worker.cc sqlite/wal_capture.cc sqlite/wal_capture_start.cc
  sqlite/wal_decoder.cc sqlite/wal_format.cc sqlite/wal_watch.cc)
target_link_libraries(ccr_sqlite PUBLIC ccr_base PkgConfig::SQLITE3)
