// The hash of a text, as files have theirs (files.h).
//
// Thread safety: a pure function.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "moft/core/files.h"

namespace moft {

inline std::string hash_text(std::string_view text) {
  return hash_bytes(std::as_bytes(std::span(text)));
}

}  // namespace moft
