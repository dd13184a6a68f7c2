ccr_test(link SOURCES link_model_test.cc link_packet_test.cc LIBS ccr_link)

# Real links, real sockets, real time: alone, and skipped (77) where there are no namespaces or no time.
add_test(NAME link_accuracy COMMAND ${PROJECT_SOURCE_DIR}/tests/link_accuracy.py --emulator $<TARGET_FILE:link_emulator>)
add_test(NAME link_life COMMAND ${PROJECT_SOURCE_DIR}/tests/link_life.py --emulator $<TARGET_FILE:link_emulator>)
set_tests_properties(link_accuracy link_life PROPERTIES LABELS slow TIMEOUT 290 RUN_SERIAL TRUE SKIP_RETURN_CODE 77)
