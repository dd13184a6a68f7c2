ccr_test(membership SOURCES membership_test.cc engine_membership_test.cc LIBS ccr_engine ccr_sim)
