ccr_test(transport SOURCES transport_connection_test.cc transport_tcp_test.cc LIBS ccr_transport)
