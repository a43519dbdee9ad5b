# Finds libtorch inside the pip wheel, without the wheel's own CMake
# configuration: that one demands a CUDA toolkit when the wheel is the CUDA
# build. Headers and shared libraries are all we need, toolkit or not.
#
# Input:  MOFT_TORCH_DIR, the wheel's `torch` folder (default: the one in .venv)
# Output: the imported target moft::torch, and MOFT_TORCH_HAS_CUDA
set(MOFT_TORCH_DIR "" CACHE PATH "Folder `torch` of the installed pip wheel")
if(NOT MOFT_TORCH_DIR)
  file(GLOB _candidates
       "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch")
  list(LENGTH _candidates _count)
  if(_count EQUAL 0)
    message(FATAL_ERROR "No libtorch in .venv: run scripts/setup first, or "
                        "give -DMOFT_TORCH_DIR=<site-packages>/torch")
  endif()
  list(GET _candidates 0 MOFT_TORCH_DIR)
endif()
if(NOT EXISTS "${MOFT_TORCH_DIR}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "MOFT_TORCH_DIR=${MOFT_TORCH_DIR} holds no "
                      "lib/libtorch_cpu.so: give the wheel's `torch` folder")
endif()

set(_lib "${MOFT_TORCH_DIR}/lib")
add_library(moft_libtorch INTERFACE)
add_library(moft::torch ALIAS moft_libtorch)
target_include_directories(moft_libtorch SYSTEM INTERFACE
  "${MOFT_TORCH_DIR}/include"
  "${MOFT_TORCH_DIR}/include/torch/csrc/api/include")
set(_needed "${_lib}/libtorch.so" "${_lib}/libtorch_cpu.so" "${_lib}/libc10.so")
set(MOFT_TORCH_HAS_CUDA OFF)
if(EXISTS "${_lib}/libtorch_cuda.so")
  set(MOFT_TORCH_HAS_CUDA ON)
  list(APPEND _needed "${_lib}/libtorch_cuda.so" "${_lib}/libc10_cuda.so")
endif()
# --no-as-needed: libtorch registers its kernels from static initialisers.
# libstdc++ comes first: the CUDA build's libtorch.so exports a
# std::filesystem of its own, whose remove_all() calls what it lacks.
# Unresolved symbols inside the CUDA libraries belong to the nvidia packages,
# which those libraries find by their own run path.
target_link_libraries(moft_libtorch INTERFACE
  "-Wl,--no-as-needed" stdc++ ${_needed} "-Wl,--as-needed"
  "-Wl,--unresolved-symbols=ignore-in-shared-libs")
message(STATUS "libtorch: ${MOFT_TORCH_DIR} (CUDA: ${MOFT_TORCH_HAS_CUDA})")

# The wheel brings its own fmt headers, found before the system's and of
# another version (another inline namespace); this is their compiled half.
if(EXISTS "${MOFT_TORCH_DIR}/include/fmt/format-inl.h")
  file(WRITE "${PROJECT_BINARY_DIR}/torch_fmt.cpp.new" [[
#include <fmt/format-inl.h>
FMT_BEGIN_NAMESPACE
namespace detail {
template auto dragonbox::to_decimal(float) -> dragonbox::decimal_fp<float>;
template auto dragonbox::to_decimal(double) -> dragonbox::decimal_fp<double>;
template auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template auto thousands_sep_impl(locale_ref) -> thousands_sep_result<wchar_t>;
template auto decimal_point_impl(locale_ref) -> char;
template auto decimal_point_impl(locale_ref) -> wchar_t;
}  // namespace detail
FMT_END_NAMESPACE
]])
  configure_file("${PROJECT_BINARY_DIR}/torch_fmt.cpp.new"
                 "${PROJECT_BINARY_DIR}/torch_fmt.cpp" COPYONLY)
  add_library(moft_torch_fmt STATIC "${PROJECT_BINARY_DIR}/torch_fmt.cpp")
  target_include_directories(moft_torch_fmt SYSTEM PRIVATE
    "${MOFT_TORCH_DIR}/include")
  target_link_libraries(moft_libtorch INTERFACE moft_torch_fmt)
endif()
