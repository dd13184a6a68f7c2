# The production back ends of the Disk seam, and the lock of a directory.
add_library(ccr_disk STATIC
  call_pool.cc
  directory_lock.cc
  disk_directories.cc
  posix_directory_calls.cc
  posix_error.cc
  posix_file_calls.cc
  submission_ring.cc
  system_disk.cc
  thread_disk.cc
  uring_disk.cc)
target_link_libraries(ccr_disk PUBLIC ccr_base PkgConfig::LIBURING)
