# The lab in its short form: real processes, real sockets, a real SQLite program.
ccr_daemon_test(lab COMMAND ${PROJECT_SOURCE_DIR}/tools/lab --quick --ccr $<TARGET_FILE:ccr>)
