# The disk that lies, for real processes: what they did not sync is lost when it is told to. Needs libfuse3 (tools/install --test); without it,
# and where one may not mount, what is played on it is skipped.
pkg_check_modules(FUSE3 IMPORTED_TARGET fuse3)
if(FUSE3_FOUND)
  add_executable(lying_disk lying_disk/mount.cc lying_disk/lying_disk.cc lying_disk/disk_words.cc)
  target_link_libraries(lying_disk PRIVATE ccr_sim PkgConfig::FUSE3)
  add_executable(hung_file lying_disk/hung_file.cc)
  target_link_libraries(hung_file PRIVATE ccr_storage)
  add_dependencies(slow_tests lying_disk hung_file)
  add_test(NAME lying_disk COMMAND ${PROJECT_SOURCE_DIR}/tests/lying_disk/self_test.py $<TARGET_FILE:lying_disk> $<TARGET_FILE:hung_file>)
  set_tests_properties(lying_disk PROPERTIES LABELS slow TIMEOUT 240 SKIP_RETURN_CODE 77)
else()
  add_custom_target(lying_disk)
endif()
