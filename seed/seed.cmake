add_library(ccr_seed STATIC
  seed_plan.cc seed_map.cc)
target_link_libraries(ccr_seed PUBLIC ccr_base ccr_transport ccr_pages)
