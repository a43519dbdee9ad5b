# Flags of single files of the part `kernels`, and of one loop beside it.

# at::parallel_for is serial in a file compiled without OpenMP.
set_source_files_properties(
  "${PROJECT_SOURCE_DIR}/moft/kernels/parallel.cpp" PROPERTIES
  COMPILE_OPTIONS "-fopenmp" SKIP_PRECOMPILE_HEADERS ON)

# The same kernels for four instruction sets; the choice falls at run time.
# Without contraction only the fma() calls fuse, the same way everywhere.
set(_simd "${PROJECT_SOURCE_DIR}/moft/kernels/simd")
set(_portable -O3;-ffp-contract=off -Wno-psabi)
set(_avx2 "")
set(_avx512 "")
set(_bf16 "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(_avx2 -mavx2 -mfma)
  set(_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma)
  # GCC 12 takes its own _mm512_undefined_ps() for an uninitialised variable.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND _avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
  set(_bf16 -mavx512bf16)
endif()
set_source_files_properties("${_simd}/generic.cpp" PROPERTIES
  COMPILE_OPTIONS "${_portable}" SKIP_PRECOMPILE_HEADERS ON)
set_source_files_properties("${_simd}/avx2.cpp" PROPERTIES
  COMPILE_OPTIONS "${_portable};${_avx2}" SKIP_PRECOMPILE_HEADERS ON)
set_source_files_properties("${_simd}/avx512.cpp" PROPERTIES
  COMPILE_OPTIONS "${_portable};${_avx512}" SKIP_PRECOMPILE_HEADERS ON)
set_source_files_properties("${_simd}/avx512bf16.cpp" PROPERTIES
  COMPILE_OPTIONS "${_portable};${_avx512};${_bf16}"
  SKIP_PRECOMPILE_HEADERS ON)
set_source_files_properties("${_simd}/table.cpp" PROPERTIES
  SKIP_PRECOMPILE_HEADERS ON)

# Vectors of square roots and quotients, each rounded on its own.
set_source_files_properties(
  "${PROJECT_SOURCE_DIR}/moft/algorithms/adamw_update.cpp" PROPERTIES
  COMPILE_OPTIONS "-O3;-fno-math-errno;-ffp-contract=off"
  SKIP_PRECOMPILE_HEADERS ON)
