ccr_test(engine_moments SOURCES engine_moments_test.cc LIBS ccr_engine ccr_sim)
