# Real daemons under faults, in the short forms; tools/trial has the long ones.
set(trial_seconds_power 400)  # 300 kills and 60 cuts: some 75 s on a machine that has nothing else to do
foreach(trial bad-input config-write cut drill edited flood handover hung kill many measure membership memory mistake outages paths power read-only rounds scarce scrub seed-faults service stale-config streams trust)
  ccr_daemon_test(real.${trial} TIMEOUT "${trial_seconds_${trial}}" COMMAND ${PROJECT_SOURCE_DIR}/tools/trial ${trial} --short --seed 1 --ccr $<TARGET_FILE:ccr>)
endforeach()
