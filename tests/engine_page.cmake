ccr_test(engine_page SOURCES engine_page_test.cc engine_times_test.cc replay_delay_test.cc point_in_time_test.cc LIBS ccr_engine)
target_compile_definitions(engine_page_test PRIVATE CCR_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
