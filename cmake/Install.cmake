# The installed package: headers, static libraries and find_package(moft).
# docs/library.md says how to use it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(_package "${CMAKE_INSTALL_LIBDIR}/cmake/moft")
get_property(_parts GLOBAL PROPERTY moft_parts)
install(TARGETS ${_parts} ${MOFT_TORCH_FMT} moft_all EXPORT moftTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT moftTargets NAMESPACE moft:: DESTINATION "${_package}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/moft"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h" PATTERN "simd" EXCLUDE
  PATTERN "gloo_headers" EXCLUDE)
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/moftConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/moftConfig.cmake" INSTALL_DESTINATION "${_package}")
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/moftConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/moftConfig.cmake"
  "${PROJECT_BINARY_DIR}/moftConfigVersion.cmake"
  DESTINATION "${_package}")
install(FILES "${PROJECT_SOURCE_DIR}/cmake/Torch.cmake"
  DESTINATION "${_package}" RENAME moftTorch.cmake)
