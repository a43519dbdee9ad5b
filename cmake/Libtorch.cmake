# Finds libtorch for the build of moft.
#
# Input:  MOFT_TORCH_DIR, the wheel's `torch` folder (default: the one in .venv)
# Output: as Torch.cmake, and moft_torch_fmt where the wheel needs it
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
include(Torch)
message(STATUS "libtorch: ${MOFT_TORCH_DIR} (CUDA: ${MOFT_TORCH_HAS_CUDA})")

# The wheel brings its own fmt headers, found before the system's and of
# another version (another inline namespace); this is their compiled half.
set(MOFT_TORCH_FMT "")
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
  set(MOFT_TORCH_FMT moft_torch_fmt)
endif()
