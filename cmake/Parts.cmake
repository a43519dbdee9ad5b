# moft_part and moft_test: one folder becomes one library or test program.
#
# Most of a build's time goes into parsing foreign headers, so every source
# starts from a precompiled one: moft_torch_pch for a source that includes
# libtorch, directly or through our own headers, and moft_plain_pch (in tests
# moft_test_pch) for all others. A source of the second kind is compiled
# without libtorch's headers in reach.
#
# GCC 12 reports impossible copies inside inlined std::string code (its bugs
# 105329, 105651), hence the four exceptions.
set(MOFT_WARNINGS -Wall -Wextra -Wshadow -Wnon-virtual-dtor)
set(_known_compiler OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND MOFT_WARNINGS -Wno-restrict -Wno-array-bounds
       -Wno-stringop-overflow -Wno-stringop-overread)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    set(_known_compiler ON)
  endif()
endif()
# A newer compiler's new warnings must not keep a user from building.
option(MOFT_WARNINGS_AS_ERRORS "Warnings in our own code are errors"
       ${_known_compiler})
if(MOFT_WARNINGS_AS_ERRORS)
  list(APPEND MOFT_WARNINGS -Werror)
endif()

# moft_precompiled(name HEADERS <..> DEPENDS targets...)
function(moft_precompiled name)
  cmake_parse_arguments(PCH "" "" "HEADERS;DEPENDS" ${ARGN})
  if(NOT EXISTS "${PROJECT_BINARY_DIR}/${name}.cpp")
    file(WRITE "${PROJECT_BINARY_DIR}/${name}.cpp" "")
  endif()
  add_library(${name} STATIC "${PROJECT_BINARY_DIR}/${name}.cpp")
  target_link_libraries(${name} PUBLIC ${PCH_DEPENDS})
  target_precompile_headers(${name} PRIVATE ${PCH_HEADERS})
endfunction()

# Sets `result` to whether `file` includes libtorch, directly or through
# headers of this project.
function(moft_includes_torch file result)
  get_property(_known GLOBAL PROPERTY "moft_includes_torch ${file}")
  if(NOT "${_known}" STREQUAL "")
    set(${result} ${_known} PARENT_SCOPE)
    return()
  endif()
  set_property(GLOBAL PROPERTY "moft_includes_torch ${file}" FALSE)
  set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND
    PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  file(STRINGS "${file}" _lines REGEX "^#include ")
  set(_found FALSE)
  foreach(_line IN LISTS _lines)
    if(_line MATCHES "^#include <(ATen|torch|c10)/")
      set(_found TRUE)
    elseif(_line MATCHES "^#include \"(.*)\"")
      set(_header "${PROJECT_SOURCE_DIR}/${CMAKE_MATCH_1}")
      if(EXISTS "${_header}")
        moft_includes_torch("${_header}" _found)
      endif()
    endif()
    if(_found)
      break()
    endif()
  endforeach()
  set_property(GLOBAL PROPERTY "moft_includes_torch ${file}" ${_found})
  set(${result} ${_found} PARENT_SCOPE)
endfunction()

# Adds `sources` to the program or library `target`; those without libtorch
# become the object library <target>_plain.
function(moft_sources target plain_pch)
  cmake_parse_arguments(LIST "" "" "SOURCES;DEPENDS" ${ARGN})
  set(_torch "")
  set(_plain "")
  foreach(_source IN LISTS LIST_SOURCES)
    moft_includes_torch("${_source}" _needs_torch)
    if(_needs_torch)
      list(APPEND _torch "${_source}")
    else()
      list(APPEND _plain "${_source}")
    endif()
  endforeach()
  target_compile_options(${target} PRIVATE ${MOFT_WARNINGS})
  if(_torch)
    target_sources(${target} PRIVATE ${_torch})
    target_precompile_headers(${target} REUSE_FROM moft_torch_pch)
  endif()
  if(_plain)
    add_library(${target}_plain OBJECT ${_plain})
    target_compile_options(${target}_plain PRIVATE ${MOFT_WARNINGS})
    target_include_directories(${target}_plain PRIVATE "${PROJECT_SOURCE_DIR}")
    target_link_libraries(${target}_plain PRIVATE ${plain_pch} ${LIST_DEPENDS})
    target_precompile_headers(${target}_plain REUSE_FROM ${plain_pch})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_plain>)
  endif()
endfunction()

# Compiles a target that spends its time in other libraries a fifth faster.
function(moft_optimise_less target)
  foreach(_target IN ITEMS ${target} ${target}_plain)
    if(TARGET ${_target})
      target_compile_options(${_target} PRIVATE $<$<CONFIG:Release>:-O1>)
    endif()
  endforeach()
endfunction()

# moft_part(name [TORCH] [COLD] DEPENDS targets... [SOURCES files...]):
# moft/<name>/, and `files`, become the
# static library moft_<name>, installed as moft::<name>. A part that is not TORCH may not include libtorch;
# a COLD one has no hot loop of its own.
function(moft_part name)
  cmake_parse_arguments(PART "TORCH;COLD" "" "DEPENDS;SOURCES" ${ARGN})
  file(GLOB _sources CONFIGURE_DEPENDS
       "${PROJECT_SOURCE_DIR}/moft/${name}/*.cpp"
       "${PROJECT_SOURCE_DIR}/moft/${name}/*/*.cpp")
  add_library(moft_${name} STATIC)
  add_library(moft::${name} ALIAS moft_${name})
  set_target_properties(moft_${name} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY moft_parts moft_${name})
  target_compile_features(moft_${name} PUBLIC cxx_std_20)
  target_include_directories(moft_${name} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>")
  target_link_libraries(moft_${name} PUBLIC ${PART_DEPENDS})
  if(PART_TORCH)
    target_link_libraries(moft_${name} PUBLIC moft::torch ${MOFT_TORCH_FMT})
  endif()
  set(_libraries ${PART_DEPENDS})
  list(FILTER _libraries INCLUDE REGEX "::")
  moft_sources(moft_${name} moft_plain_pch
    SOURCES ${_sources} ${PART_SOURCES} DEPENDS ${_libraries})
  if(PART_COLD)
    moft_optimise_less(moft_${name})
  endif()
endfunction()

# moft_test(name [UNITY] DEPENDS targets...): tests/<name>/*_test.cpp become one
# program, <name>_test; each of its suites is one test of ctest. UNITY: three
# sources with libtorch are compiled as one, so that the templates they share
# are instantiated once; names in their anonymous namespaces have to differ.
function(moft_test name)
  cmake_parse_arguments(PART "UNITY" "" "DEPENDS" ${ARGN})
  file(GLOB _sources CONFIGURE_DEPENDS
       "${PROJECT_SOURCE_DIR}/tests/${name}/*_test.cpp"
       "${PROJECT_SOURCE_DIR}/tests/${name}/support*.cpp")
  if(NOT _sources)
    return()
  endif()
  add_executable(${name}_test)
  target_link_libraries(${name}_test PRIVATE
    ${PART_DEPENDS} GTest::gtest GTest::gtest_main)
  moft_sources(${name}_test moft_test_pch SOURCES ${_sources})
  if(PART_UNITY)
    set_target_properties(${name}_test PROPERTIES
      UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 3)
  endif()
  foreach(_target IN ITEMS ${name}_test ${name}_test_plain)
    if(TARGET ${_target})
      target_compile_definitions(${_target} PRIVATE
        MOFT_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
        MOFT_BINARY_DIR="${PROJECT_BINARY_DIR}")
    endif()
  endforeach()
  moft_optimise_less(${name}_test)
  set(_list "${CMAKE_CURRENT_BINARY_DIR}/${name}_suites.cmake")
  add_custom_command(TARGET ${name}_test POST_BUILD
    COMMAND "${CMAKE_COMMAND}"
      -D "PROGRAM=$<TARGET_FILE:${name}_test>" -D NAME=${name}
      -D "DIRECTORY=${CMAKE_CURRENT_BINARY_DIR}" -D "FILE=${_list}"
      -P "${PROJECT_SOURCE_DIR}/cmake/ListSuites.cmake"
    BYPRODUCTS "${_list}" VERBATIM)
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${_list}")
endfunction()
