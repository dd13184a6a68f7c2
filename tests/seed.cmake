ccr_test(seed SOURCES seed_plan_test.cc seed_map_test.cc LIBS ccr_seed)
