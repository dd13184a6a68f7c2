# Real daemons under faults, in the short forms; tools/trial has the long ones. One at a time, as they share a disk; beside them the swarm may run.
foreach(trial bad-input config-write cut drill edited flood handover hung kill many measure membership memory mistake outages paths power read-only rounds scarce scrub seed-faults service stale-config streams trust)
  add_test(NAME real.${trial} COMMAND ${PROJECT_SOURCE_DIR}/tools/trial ${trial} --short --seed 1 --ccr $<TARGET_FILE:ccr>)
  set_tests_properties(real.${trial} PROPERTIES LABELS slow TIMEOUT 240 RESOURCE_LOCK daemons COST 100)  # first: the others fit beside them
endforeach()
set_tests_properties(real.power PROPERTIES TIMEOUT 400)  # 300 kills and 60 cuts: some 75 s on a machine that has nothing else to do
