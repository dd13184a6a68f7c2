# Every disk operation of whole nodes' stories fails in turn: with sanitizers that takes minutes.
ccr_test(engine_failing SOURCES engine_failing_test.cc LIBS ccr_engine ccr_sim LABELS slow TIMEOUT 300)
