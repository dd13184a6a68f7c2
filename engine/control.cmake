add_library(ccr_control STATIC control.cc control_server.cc control_session.cc)
    target_link_libraries(ccr_control PUBLIC ccr_base nlohmann_json::nlohmann_json)
