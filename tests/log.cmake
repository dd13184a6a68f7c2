ccr_test(log
  SOURCES log_test_format.cc log_test_page.cc log_test_verdicts.cc log_test_stream.cc log_test_crash.cc log_test_incoming.cc log_test_spare.cc log_test_reserve.cc log_test_cut.cc log_test_growth.cc log_test_power.cc
  LIBS ccr_storage ccr_sim)
target_compile_definitions(log_test PRIVATE CCR_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
