add_library(ccr_control STATIC control.cc control_server.cc control_session.cc)
    target_link_libraries(ccr_control PUBLIC ccr_base nlohmann_json::nlohmann_json)
# GCC 12 takes the inlined operator new of Asio's coroutine frames for a foreign one.
target_compile_options(ccr_control PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
