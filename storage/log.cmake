add_library(ccr_log STATIC
  ${CMAKE_CURRENT_LIST_DIR}/log_format.cc
  ${CMAKE_CURRENT_LIST_DIR}/record_format.cc)
target_link_libraries(ccr_log PUBLIC ccr_base)
