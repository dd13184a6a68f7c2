# Ordinary SQLite programs on the whole path, in the short forms; tools/trial has the long ones. One at a time, like tests/real.cmake.
foreach(trial backups shapes changes refusals load manners handover)
  add_test(NAME real.sqlite-${trial} COMMAND ${PROJECT_SOURCE_DIR}/tools/trial sqlite-${trial} --short --seed 1 --ccr $<TARGET_FILE:ccr>)
  set_tests_properties(real.sqlite-${trial} PROPERTIES LABELS slow TIMEOUT 240 RESOURCE_LOCK daemons COST 100)  # first: the others fit beside them
endforeach()
