add_library(ccr_log STATIC
  ${CMAKE_CURRENT_LIST_DIR}/log_format.cc
  ${CMAKE_CURRENT_LIST_DIR}/record_format.cc
  ${CMAKE_CURRENT_LIST_DIR}/record_scan.cc
  ${CMAKE_CURRENT_LIST_DIR}/generation_scan.cc
  ${CMAKE_CURRENT_LIST_DIR}/chain.cc
  ${CMAKE_CURRENT_LIST_DIR}/log_recovery.cc
  ${CMAKE_CURRENT_LIST_DIR}/generation_file.cc
  ${CMAKE_CURRENT_LIST_DIR}/log_survey.cc
  ${CMAKE_CURRENT_LIST_DIR}/log_opening.cc
  ${CMAKE_CURRENT_LIST_DIR}/generation_writer.cc
  ${CMAKE_CURRENT_LIST_DIR}/log_stream.cc
  ${CMAKE_CURRENT_LIST_DIR}/log_reader.cc
  ${CMAKE_CURRENT_LIST_DIR}/block_reader.cc
  ${CMAKE_CURRENT_LIST_DIR}/generation_inspector.cc
  ${CMAKE_CURRENT_LIST_DIR}/incoming_opening.cc
  ${CMAKE_CURRENT_LIST_DIR}/incoming_log.cc)
target_link_libraries(ccr_log PUBLIC ccr_base)
