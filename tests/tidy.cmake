ccr_test(tidy SOURCES tidy_test.cc tidy/house_rules.cc tidy/source_text.cc LIBS ccr_base LABELS nosan)
target_include_directories(tidy_test PRIVATE ${PROJECT_SOURCE_DIR})
target_compile_definitions(tidy_test PRIVATE CCR_SOURCE_DIR="${PROJECT_SOURCE_DIR}")

# Each header compiles alone: one source per header that holds its include line and nothing else. Nothing links the objects. Where headers
# are precompiled, only those without a source of their own, and not the tests': the others are the first line of theirs, which `dev` and
# `tidy` compile alone, as they do with all headers.
option(CCR_HEADERS_ALONE "compile each header alone" ON)
if(CCR_HEADERS_ALONE)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
    ${PROJECT_SOURCE_DIR}/base/*.h ${PROJECT_SOURCE_DIR}/storage/*.h ${PROJECT_SOURCE_DIR}/transport/*.h
    ${PROJECT_SOURCE_DIR}/seed/*.h ${PROJECT_SOURCE_DIR}/engine/*.h ${PROJECT_SOURCE_DIR}/tools/*.h ${PROJECT_SOURCE_DIR}/library/*.h
    ${PROJECT_SOURCE_DIR}/tests/*.h)
  set(includers)
  foreach(header ${headers})
    string(REGEX REPLACE "h$" "cc" source ${PROJECT_SOURCE_DIR}/${header})
    if(CCR_PRECOMPILE AND (EXISTS ${source} OR header MATCHES "^tests/"))
      continue()
    endif()
    set(includer ${CMAKE_CURRENT_BINARY_DIR}/headers_alone/${header}.cc)
    file(CONFIGURE OUTPUT ${includer} CONTENT "#include \"${header}\"\n")
    list(APPEND includers ${includer})
  endforeach()
  add_library(headers_alone OBJECT ${includers})
  add_dependencies(unit_tests headers_alone)
  set_target_properties(headers_alone PROPERTIES UNITY_BUILD OFF)
  target_compile_options(headers_alone PRIVATE ${CCR_TEST_OPTIONS})
  ccr_precompiled(headers_alone tests)
  target_include_directories(headers_alone PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(headers_alone PRIVATE SQLITE_APP="")  # a program's path, known to its tests only
  target_link_libraries(headers_alone PRIVATE ccr_options PkgConfig::LIBURING PkgConfig::SQLITE3 PkgConfig::TOMLPLUSPLUS
    fmt::fmt nlohmann_json::nlohmann_json CLI11::CLI11 GTest::gtest)
endif()

# clang-tidy over the files that only decide; tools/tidy runs it over all, which takes too long for each check.
find_program(CLANG_TIDY clang-tidy)
if(CLANG_TIDY)
  add_test(NAME tidy.clang_tidy COMMAND ${PROJECT_SOURCE_DIR}/tools/tidy --pure)
  set_tests_properties(tidy.clang_tidy PROPERTIES LABELS slow TIMEOUT 280)
endif()
