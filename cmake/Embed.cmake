# moft_embed(result HEADER function file): sets `result` to a source that
# defines `std::string_view function()`, which HEADER declares, as the text of
# `file`; `function` may name a namespace inside moft ("exact::known_answers").
function(moft_embed result header function file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  file(READ "${file}" _text)
  get_filename_component(_name "${file}" NAME)
  set(_source "${PROJECT_BINARY_DIR}/generated/${_name}.cpp")
  file(WRITE "${_source}.new" "// Made by CMake from ${_name}.
#include \"${header}\"

namespace moft {

std::string_view ${function}() {
  return R\"moft_text(${_text})moft_text\";
}

}  // namespace moft
")
  configure_file("${_source}.new" "${_source}" COPYONLY)
  set(${result} "${_source}" PARENT_SCOPE)
endfunction()
