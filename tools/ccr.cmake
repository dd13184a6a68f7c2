# Everything of the tool that a test can call; the binary adds the command line, the log reader and the node.
add_library(ccr_tools STATIC
  amounts.cc config_changes.cc config_file.cc config_json.cc control_client.cc event_line.cc interrupts.cc json_fields.cc progress_bar.cc
  progress_display.cc result_text.cc service_notify.cc state_status.cc status_text.cc terminal.cc text_table.cc)
target_link_libraries(ccr_tools PUBLIC ccr_base ccr_config ccr_control ccr_pages nlohmann_json::nlohmann_json fmt::fmt)

add_executable(ccr
  main.cc command_line.cc commands_config.cc commands_copy.cc commands_load.cc commands_log.cc commands_status.cc commands_version.cc
  daemon_call.cc generation_text.cc serve.cc)
target_compile_definitions(ccr PRIVATE CCR_VERSION="${PROJECT_VERSION}")
target_link_libraries(ccr PRIVATE ccr_tools ccr_engine ccr_log ccr_disk ccr_sqlite PkgConfig::SQLITE3 CLI11::CLI11)
