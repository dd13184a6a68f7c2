ccr_test(engine_lag SOURCES engine_lag_test.cc engine_until_test.cc LIBS ccr_engine ccr_sim)
ccr_test(engine_retention SOURCES engine_retention_test.cc LIBS ccr_engine ccr_sim)
