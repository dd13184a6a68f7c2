ccr_test(tools SOURCES tools_test.cc tools_status_test.cc tools_connection_test.cc tools_state_test.cc tools_client_test.cc tools_command_test.cc tools_cert_test.cc tools_tune_test.cc tools_bench_test.cc tools_report_test.cc tools_seeds_test.cc tools_drill_test.cc tools_check_test.cc tools_time_test.cc tools_pair_test.cc tools_programs_test.cc tools_config_edit_test.cc
  LIBS ccr_tools TIMEOUT 300)
target_compile_definitions(tools_test PRIVATE CCR_BINARY="$<TARGET_FILE:ccr>")
add_dependencies(tools_test ccr)
