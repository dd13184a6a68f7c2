ccr_test(engine SOURCES engine_test.cc LIBS ccr_engine ccr_sim)
