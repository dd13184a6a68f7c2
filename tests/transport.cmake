ccr_test(transport
  SOURCES transport_connection_test.cc transport_frame_test.cc transport_frame_faults_test.cc transport_handshake_test.cc transport_message_test.cc
          transport_packing_test.cc transport_packed_faults_test.cc transport_plan_test.cc transport_page_test.cc transport_tcp_test.cc transport_tcp_window_test.cc transport_window_control_test.cc
          transport_window_test.cc
  LIBS ccr_transport PkgConfig::ZSTD)
target_compile_definitions(transport_test PRIVATE CCR_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
ccr_test(tls SOURCES transport_tls_test.cc transport_tls_refusal_test.cc transport_tls_identity_test.cc
  transport_tls_network_test.cc LIBS ccr_transport)
