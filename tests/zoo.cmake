# The bug zoo fits the tree: each planted text stands where it should, and each test that must find it exists. tests/zoo.py itself plays it.
add_test(NAME zoo COMMAND ${PROJECT_SOURCE_DIR}/tests/zoo.py --check)
set_tests_properties(zoo PROPERTIES LABELS nosan)
