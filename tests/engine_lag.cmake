ccr_test(engine_lag SOURCES engine_lag_test.cc LIBS ccr_engine ccr_sim)
