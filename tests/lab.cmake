# The lab in its short form: real processes, real sockets, a real SQLite program. Not beside the trials (tests/real.cmake).
add_test(NAME lab COMMAND ${PROJECT_SOURCE_DIR}/tools/lab --quick --ccr $<TARGET_FILE:ccr>)
set_tests_properties(lab PROPERTIES LABELS slow TIMEOUT 240 RESOURCE_LOCK daemons COST 100)  # first: the others fit beside them
