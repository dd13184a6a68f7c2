ccr_test(log SOURCES log_test_stream.cc log_test_crash.cc log_test_incoming.cc LIBS ccr_log)
