ccr_test(link SOURCES link_model_test.cc link_packet_test.cc LIBS ccr_link)
