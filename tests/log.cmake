ccr_test(log SOURCES log_test_stream.cc LIBS ccr_log)
