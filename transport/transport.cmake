add_library(ccr_transport STATIC
  body_codec.cc frame.cc framed_connection.cc handshake.cc messages.cc network.cc tcp_facts.cc tcp_network.cc)
target_link_libraries(ccr_transport PUBLIC ccr_base)
