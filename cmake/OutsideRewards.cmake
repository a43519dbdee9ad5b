# What rewards outside the process need: the host of Python functions beside
# the program, in share/moft, and libcurl.
set(_host "${PROJECT_SOURCE_DIR}/moft/rewards/outside/reward_host.py")
configure_file("${_host}" "${PROJECT_BINARY_DIR}/share/moft/reward_host.py"
               COPYONLY)
if(MOFT_INSTALL)
  install(FILES "${_host}" DESTINATION share/moft)
endif()
if(MOFT_HTTP)
  target_link_libraries(moft_rewards PUBLIC CURL::libcurl)
  set_source_files_properties(
    "${PROJECT_SOURCE_DIR}/moft/rewards/outside/http_channel.cpp" PROPERTIES
    COMPILE_DEFINITIONS MOFT_HTTP)
endif()
