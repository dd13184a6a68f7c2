ccr_test(pages SOURCES pages_test.cc LIBS ccr_pages)
