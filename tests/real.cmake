# Real daemons under faults, in the short forms; tools/trial has the long ones.
set(trial_seconds_power 400)  # 300 kills and 60 cuts: some 75 s on a machine that has nothing else to do
set(trial_takes_power 230)
set(trial_takes_drill 75)
foreach(long rounds measure paths seed-faults service set-clock edited)
  set(trial_takes_${long} 50)
endforeach()
add_library(set_clock MODULE set_clock.cc)
target_link_libraries(set_clock PRIVATE ccr_options)
add_dependencies(slow_tests set_clock)
foreach(trial power drill rounds measure paths seed-faults service set-clock edited bad-input config-write cut flood handover hung kill many membership memory mistake outages read-only scarce scrub stale-config streams trust)
  ccr_daemon_test(real.${trial} TIMEOUT "${trial_seconds_${trial}}" TAKES "${trial_takes_${trial}}" COMMAND ${PROJECT_SOURCE_DIR}/tools/trial ${trial} --short --seed 1 --ccr $<TARGET_FILE:ccr>)
endforeach()
