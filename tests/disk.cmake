ccr_test(disk SOURCES disk_test.cc disk_fault_test.cc directory_lock_test.cc cache_footprint_test.cc call_pool_test.cc LIBS ccr_storage)
