// The file in which torchrun looks for the words of a process that failed.
//
// Source: torch/distributed/elastic/multiprocessing/errors (2.13): the name is
// in TORCHELASTIC_ERROR_FILE, the content is
//   {"message": {"message": "..", "extraInfo": {"timestamp": "<seconds>"}}}
// and of several ranks the one with the smallest timestamp is shown.
// Thread safety: any thread.
#pragma once

#include <cstdint>
#include <string>

#include "moft/distributed/launch.h"

namespace moft {

// seconds: since 1970.
std::string error_file_text(const std::string& message, std::int64_t seconds);

// Writes the file if the launcher named one. A file that cannot be written must
// not hide the error: nothing is thrown.
void write_error_file(
    const Environment& environment, const std::string& message) noexcept;

}  // namespace moft
