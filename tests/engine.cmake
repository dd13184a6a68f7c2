ccr_test(engine SOURCES engine_test.cc sim/cluster.cc LIBS ccr_engine ccr_sim)
