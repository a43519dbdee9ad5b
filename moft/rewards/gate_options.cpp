// The check of a gate's options.
#include "moft/rewards/gate_options.h"

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {

void GateOptions::check(const std::string& path) const {
  if (zero_at < full_at) return;
  throw_caller_error(
      "{}full_at is {}; give a number above {}zero_at, which is {}",
      path,
      shortest_number(full_at),
      path,
      shortest_number(zero_at));
}

}  // namespace moft
