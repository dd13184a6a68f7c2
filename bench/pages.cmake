find_package(benchmark REQUIRED)
add_executable(pages_bench pages_bench.cc)
target_link_libraries(pages_bench PRIVATE ccr_pages ccr_disk ccr_options benchmark::benchmark)
