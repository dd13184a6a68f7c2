add_library(ccr_replay STATIC ${CMAKE_CURRENT_LIST_DIR}/replay_target.cc)
target_link_libraries(ccr_replay PUBLIC ccr_pages ccr_log)
