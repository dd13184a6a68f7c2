# Every network operation of whole nodes' stories fails in turn: with sanitizers that takes minutes.
ccr_test(engine_sockets SOURCES engine_sockets_test.cc LIBS ccr_engine ccr_sim LABELS slow TIMEOUT 300)
