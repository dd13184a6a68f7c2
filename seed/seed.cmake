add_library(ccr_seed STATIC
  extent_arrival.cc own_content.cc seed_commit.cc seed_map.cc seed_plan.cc seed_source.cc seed_target.cc seed_transfer.cc
  seed_verify.cc)
target_link_libraries(ccr_seed PUBLIC ccr_base ccr_transport ccr_pages)
