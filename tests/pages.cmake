ccr_test(pages SOURCES pages_test.cc pages_file_test.cc pages_state_test.cc pages_identity_test.cc pages_truncation_test.cc
  pages_verifier_test.cc pages_map_test.cc LIBS ccr_storage ccr_sim)
