ccr_test(engine_lies SOURCES engine_lies_test.cc engine_directories_test.cc engine_touched_log_test.cc LIBS ccr_engine ccr_sim)
