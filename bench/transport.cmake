find_package(benchmark REQUIRED)
add_executable(transport_bench transport_bench.cc)
target_link_libraries(transport_bench PRIVATE ccr_transport ccr_options benchmark::benchmark)
