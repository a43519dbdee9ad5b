# Flags of single files of the part `kernels`.

# at::parallel_for is serial in a file compiled without OpenMP. The runtime is
# the one libtorch itself loads (its wheel brings libgomp), never a second one.
file(GLOB _gomp "${MOFT_TORCH_DIR}/lib/libgomp*.so*")
if(_gomp)
  list(GET _gomp 0 _gomp)
else()
  set(_gomp gomp)
endif()
target_link_libraries(moft_kernels PUBLIC "${_gomp}")
set_source_files_properties(
  "${PROJECT_SOURCE_DIR}/moft/kernels/parallel.cpp" PROPERTIES
  COMPILE_OPTIONS "-fopenmp" SKIP_PRECOMPILE_HEADERS ON)
