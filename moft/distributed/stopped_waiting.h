// The end of a process that was asked to stop and cannot stop together with the
// other ranks: it waits no longer, or an exchange has failed. It ends with the
// exit code of the signal.
#pragma once

#include "moft/core/errors.h"

namespace moft {

// The words name the rank at fault.
class StoppedWaiting : public WorldError {
 public:
  using WorldError::WorldError;
};

}  // namespace moft
