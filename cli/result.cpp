#include "cli/result.h"

#include <cerrno>
#include <cstring>
#include <string_view>

#include <unistd.h>

#include "moft/core/errors.h"

namespace moft {

void write_result(const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && (errno == EPIPE || errno == EIO || errno == EBADF))
      return;
    if (written < 0) {
      throw_world_error(
          "standard output cannot be written: {}", std::strerror(errno));
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace moft
