ccr_test(base SOURCES base_test.cc wall_time_test.cc LIBS ccr_base)
