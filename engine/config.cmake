add_library(ccr_config STATIC config.cc config_paths.cc config_show.cc config_table.cc config_values.cc)
target_link_libraries(ccr_config PUBLIC ccr_base ccr_transport PRIVATE PkgConfig::TOMLPLUSPLUS fmt::fmt)
