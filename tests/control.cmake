ccr_test(control SOURCES control_test.cc LIBS ccr_engine)
