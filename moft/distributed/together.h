// Work that succeeds on every rank or fails on every rank: of each rank, or of
// rank 0 for all, which alone writes files.
//
// A rank that throws on its own would leave the others waiting for it in the
// next exchange, until their timeout.
//
// Thread safety: as Group.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "moft/distributed/group.h"

namespace moft {

// Runs `work` on every rank and returns what each one's returned, by rank. When
// it throws on any, it throws on all: there what it threw, elsewhere the first
// rank's words as "rank 2: ..", a CallerError if it was one, else WorldError.
// `meet`, if any, runs on every rank between its work and the exchange.
std::vector<std::string> gather_results(
    Group& group,
    const std::function<std::string()>& work,
    const std::function<void()>& meet = nullptr);

// Every rank calls it. Rank 0 runs `work`; each rank returns what it returned,
// or throws what it threw: CallerError and WorldError as they are, another
// exception as a WorldError on the other ranks.
std::string run_on_first(
    Group& group, const std::function<std::string()>& work);

// The same without a result.
void do_on_first(Group& group, const std::function<void()>& work);

}  // namespace moft
