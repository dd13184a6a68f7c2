# Real daemons under faults, in the short forms; tools/trial has the long ones.
add_library(set_clock MODULE set_clock.cc)
target_link_libraries(set_clock PRIVATE ccr_options)
add_dependencies(slow_tests set_clock)
set(trial_seconds_power 400)  # 300 kills and 60 cuts
ccr_trials(power=130 drill=70 cut=50 kill=50 rounds=50 seed-faults=45 service=40 paths=40 measure=35 streams=30 bad-input=30 scarce=30 set-clock=30
  stale-config=27 outages=27 read-only=27 edited=26 handover=24 hung=22 mistake=19 flood=18 membership=11 many=10 config-write=10 scrub=10 trust=7 memory=5)
