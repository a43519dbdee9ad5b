// Which of how many processes this one is.
//
// Thread safety: one thread.
#pragma once

#include <string>

#include "moft/distributed/launch.h"

namespace moft {

// Which rank of how many this process is. All but rank 0 log nothing from then
// on.
Launch find_launch();

// CallerError when a launcher started several processes of a command that runs
// in one: they would do the same over the same files.
void refuse_several_ranks(const std::string& command);

}  // namespace moft
