# What `ccr bench` and `ccr tune` measure, in the simulator: bulk data, which takes nine times as long with sanitizers. Run those by hand.
ccr_test(engine_measure SOURCES engine_measure_test.cc engine_measure_seed_test.cc LIBS ccr_engine ccr_sim LABELS slow)
