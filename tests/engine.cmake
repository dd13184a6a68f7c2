ccr_test(engine SOURCES engine_test.cc engine_source_test.cc engine_quarantine_test.cc engine_packing_test.cc engine_repair_test.cc engine_commands_test.cc event_file_test.cc
         admission_test.cc certificate_dates_test.cc engine_tls_test.cc engine_measure_test.cc engine_paths_test.cc engine_rest_test.cc engine_welcome_test.cc engine_streams_test.cc
         scrub_pace_test.cc engine_scrub_test.cc own_pages_test.cc engine_drill_test.cc engine_forecast_test.cc engine_measure_seed_test.cc engine_doubt_test.cc engine_fork_test.cc engine_handover_test.cc LIBS ccr_engine ccr_sim)
