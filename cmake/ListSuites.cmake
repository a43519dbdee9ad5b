# Run after a test program is linked: writes a ctest file that has one test
# per suite of the program. Loading libtorch takes longer than most cases, so
# cases do not get a process each.
#
#   cmake -D PROGRAM=.. -D NAME=.. -D DIRECTORY=.. -D FILE=.. -P ListSuites.cmake
execute_process(
  COMMAND "${PROGRAM}" --gtest_list_tests
  OUTPUT_VARIABLE _listing
  RESULT_VARIABLE _result)
if(NOT _result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} --gtest_list_tests failed: ${_result}")
endif()
string(REGEX MATCHALL "(^|\n)[A-Za-z][A-Za-z0-9_/]*\\." _suites "${_listing}")
if(NOT _suites)
  message(FATAL_ERROR "${PROGRAM} has no tests")
endif()
file(WRITE "${FILE}" "")
foreach(_suite IN LISTS _suites)
  string(REGEX REPLACE "[\n.]" "" _suite "${_suite}")
  file(APPEND "${FILE}"
    "add_test([=[${NAME}.${_suite}]=] [=[${PROGRAM}]=] "
    "[=[--gtest_filter=${_suite}.*]=])\n"
    "set_tests_properties([=[${NAME}.${_suite}]=] PROPERTIES\n"
    "  WORKING_DIRECTORY [=[${DIRECTORY}]=] TIMEOUT 600)\n")
endforeach()
