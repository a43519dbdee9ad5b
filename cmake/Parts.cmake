# moft_part(name [TORCH] [DEPENDS targets...] [SIMD])
#
# One folder moft/<name>/ becomes the static library moft_<name>. Parts marked
# TORCH share one precompiled header; the others never see a torch header.
# GCC 12 reports impossible copies inside inlined std::string code (its bugs
# 105329, 105651), hence the four exceptions.
set(MOFT_WARNINGS -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND MOFT_WARNINGS -Wno-restrict -Wno-array-bounds
       -Wno-stringop-overflow -Wno-stringop-overread)
endif()

function(moft_part name)
  cmake_parse_arguments(PART "TORCH" "" "DEPENDS" ${ARGN})
  file(GLOB _sources CONFIGURE_DEPENDS
       "${PROJECT_SOURCE_DIR}/moft/${name}/*.cpp"
       "${PROJECT_SOURCE_DIR}/moft/${name}/*/*.cpp")
  if(_sources)
    add_library(moft_${name} STATIC ${_sources})
    set(_scope PUBLIC)
    target_compile_options(moft_${name} PRIVATE ${MOFT_WARNINGS})
    if(PART_TORCH)
      target_precompile_headers(moft_${name} REUSE_FROM moft_torch_pch)
    endif()
  else()
    add_library(moft_${name} INTERFACE)
    set(_scope INTERFACE)
  endif()
  target_include_directories(moft_${name} ${_scope} "${PROJECT_SOURCE_DIR}")
  target_link_libraries(moft_${name} ${_scope} ${PART_DEPENDS})
  if(PART_TORCH)
    target_link_libraries(moft_${name} ${_scope} moft::torch)
  endif()
endfunction()

# moft_test(name [TORCH] [DEPENDS targets...]): tests/<name>/*_test.cpp become
# one program, <name>_test, whose cases ctest sees one by one.
function(moft_test name)
  cmake_parse_arguments(PART "TORCH" "" "DEPENDS" ${ARGN})
  file(GLOB _sources CONFIGURE_DEPENDS
       "${PROJECT_SOURCE_DIR}/tests/${name}/*_test.cpp"
       "${PROJECT_SOURCE_DIR}/tests/${name}/support*.cpp")
  if(NOT _sources)
    return()
  endif()
  add_executable(${name}_test ${_sources})
  target_compile_options(${name}_test PRIVATE ${MOFT_WARNINGS})
  target_compile_definitions(${name}_test PRIVATE
    MOFT_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    MOFT_BINARY_DIR="${PROJECT_BINARY_DIR}")
  target_link_libraries(${name}_test PRIVATE
    ${PART_DEPENDS} GTest::gtest GTest::gtest_main)
  if(PART_TORCH)
    target_precompile_headers(${name}_test REUSE_FROM moft_torch_pch)
  endif()
  gtest_discover_tests(${name}_test
    TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 600)
endfunction()
