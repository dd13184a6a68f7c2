find_package(benchmark REQUIRED)
add_executable(disk_bench disk_bench.cc)
target_link_libraries(disk_bench PRIVATE ccr_disk ccr_options benchmark::benchmark)
