// What rank 0 does for all ranks: it alone writes files, and the others learn
// how that went.
//
// Thread safety: as Group.
#pragma once

#include <functional>
#include <string>

#include "moft/distributed/group.h"

namespace moft {

// Every rank calls it. Rank 0 runs `work`; each rank returns what it returned,
// or throws what it threw: CallerError and WorldError as they are, another
// exception as a WorldError on the other ranks.
std::string run_on_first(
    Group& group, const std::function<std::string()>& work);

// The same without a result.
void do_on_first(Group& group, const std::function<void()>& work);

}  // namespace moft
