# The simulated seams: whole nodes in one process under virtual time.
add_library(ccr_sim STATIC
  sim/sim_world.cc sim/sim_wait.cc sim/sim_clock.cc
  sim/sim_content.cc sim/disk_state.cc sim/disk_crash.cc sim/disk_mount.cc sim/sim_disk.cc
  sim/sim_network.cc sim/sim_transit.cc sim/sim_network_faults.cc sim/sim_ports.cc
  sim/node_host.cc sim/cluster.cc)
target_link_libraries(ccr_sim PUBLIC ccr_engine)
ccr_precompiled(ccr_sim)
ccr_test(sim SOURCES sim_test.cc sim_disk_test.cc sim_crash_test.cc sim_network_test.cc sim_node_test.cc LIBS ccr_sim)
