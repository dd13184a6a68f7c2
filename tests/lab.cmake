# The lab in its short form: real processes, real sockets, a real SQLite program. Alone, as others would slow it down.
add_test(NAME lab COMMAND ${PROJECT_SOURCE_DIR}/tools/lab --quick --ccr $<TARGET_FILE:ccr>)
set_tests_properties(lab PROPERTIES LABELS slow TIMEOUT 240 RUN_SERIAL TRUE)
