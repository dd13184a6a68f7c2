ccr_test(config SOURCES config_test.cc config_bad_test.cc LIBS ccr_engine)
