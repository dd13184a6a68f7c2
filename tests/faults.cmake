# The fault matrix names only tests that there are, and says where there are none.
add_test(NAME faults COMMAND ${PROJECT_SOURCE_DIR}/tests/faults.py)
set_tests_properties(faults PROPERTIES LABELS nosan)
