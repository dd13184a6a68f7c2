ccr_test(base SOURCES base_test.cc LIBS ccr_base)
