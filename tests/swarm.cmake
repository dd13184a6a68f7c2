# Random stories of whole clusters. With sanitizers they take minutes each batch: run those by hand.
ccr_test(swarm SOURCES swarm_test.cc sim/swarm.cc sim/swarm_night.cc sim/swarm_restores.cc sim/swarm_options.cc sim/swarm_audit.cc
         LIBS ccr_engine ccr_sim LABELS slow TIMEOUT 900)
