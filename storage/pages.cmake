add_library(ccr_pages STATIC
  disk_verifier.cc file_replacement.cc identity_file.cc page_digests.cc page_file.cc state_file.cc token_bucket.cc truncation.cc)
target_link_libraries(ccr_pages PUBLIC ccr_base)
# GCC 12 takes the inlined operator new of Asio's coroutine frames for a foreign one.
target_compile_options(ccr_pages PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
