# Ordinary SQLite programs on the whole path, in the short forms; tools/trial has the long ones.
foreach(trial backups shapes changes refusals load manners handover)
  ccr_daemon_test(real.sqlite-${trial} COMMAND ${PROJECT_SOURCE_DIR}/tools/trial sqlite-${trial} --short --seed 1 --ccr $<TARGET_FILE:ccr>)
endforeach()
