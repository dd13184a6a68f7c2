ccr_test(seed SOURCES seed_plan_test.cc seed_map_test.cc seed_packing_test.cc seed_pass_test.cc seed_cut_test.cc seed_refusal_test.cc seed_streams_test.cc fair_share_test.cc LIBS ccr_seed ccr_sim)
