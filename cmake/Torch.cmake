# The target moft::torch: libtorch inside the pip wheel, without the wheel's own
# CMake configuration, which demands a CUDA toolkit when the wheel is the CUDA
# build. Headers and shared libraries are all that is needed, toolkit or not.
# The build of moft and the installed package both use this file.
#
# Input:  MOFT_TORCH_DIR, the wheel's folder `torch`
# Output: the imported target moft::torch, and MOFT_TORCH_HAS_CUDA
if(NOT EXISTS "${MOFT_TORCH_DIR}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "MOFT_TORCH_DIR=${MOFT_TORCH_DIR} has no "
                      "lib/libtorch_cpu.so; give the wheel's folder `torch`")
endif()
set(_lib "${MOFT_TORCH_DIR}/lib")
set(_needed "${_lib}/libtorch.so" "${_lib}/libtorch_cpu.so" "${_lib}/libc10.so")
set(MOFT_TORCH_HAS_CUDA OFF)
if(EXISTS "${_lib}/libtorch_cuda.so")
  set(MOFT_TORCH_HAS_CUDA ON)
  list(APPEND _needed "${_lib}/libtorch_cuda.so" "${_lib}/libc10_cuda.so")
endif()
# moft's parallel loops use the OpenMP runtime that libtorch itself loads (its
# wheel brings libgomp), never a second one.
file(GLOB _gomp "${_lib}/libgomp*.so*")
if(_gomp)
  list(GET _gomp 0 _gomp)
else()
  set(_gomp gomp)
endif()
# Clang compiles them for its own runtime, which then runs beside libtorch's.
set(_omp "")
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  set(_omp ${OpenMP_CXX_LIBRARIES})
endif()
add_library(moft::torch INTERFACE IMPORTED GLOBAL)
target_include_directories(moft::torch SYSTEM INTERFACE
  "${MOFT_TORCH_DIR}/include"
  "${MOFT_TORCH_DIR}/include/torch/csrc/api/include")
# --no-as-needed: libtorch registers its kernels from static initialisers.
# libstdc++ comes first: the CUDA build's libtorch.so exports a std::filesystem
# of its own, whose remove_all() calls what it lacks.
# Unresolved symbols inside the CUDA libraries belong to the nvidia packages,
# which those libraries find by their own run path.
target_link_libraries(moft::torch INTERFACE
  "-Wl,--no-as-needed" stdc++ ${_needed} "-Wl,--as-needed"
  "-Wl,--unresolved-symbols=ignore-in-shared-libs" "${_gomp}" ${_omp})
