// Best-of-set figures without the winner's bonus.
//
// The largest of several noisy means is too large: of five settings that are
// equally good on 58 prompts, the best seems better than the mean by a sixth of
// a standard deviation. So the best point of a weighting is chosen on one half
// of the prompts and scored on the other, both ways, averaged over 11 random
// partitions: equal settings give a regret of 0 on average. The price: with few
// prompts the choice itself may be wrong, so regret is rather too small than
// too large, and it may fall below 0.
//
// Intervals: the medians, over the halves, of the bounds of percentile
// bootstraps over a half's prompts with the choice held; wider than those of
// all prompts together, and they hold.
// Thread safety: pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "moft/evaluation/bootstrap.h"
#include "moft/evaluation/front.h"
#include "moft/weightings/scalarisation.h"

namespace moft {

// Two random halves of the prompts: the partition of this number. Of an odd
// number of prompts the second half has one more.
std::array<std::vector<std::size_t>, 2> random_halves(
    std::size_t prompts, std::uint64_t seed, std::uint32_t partition);

// Needs the points' weights, alpha and per_prompt, complete and for the
// bootstrap's prompts. One prompt: every weighting keeps its own point.
CrossFit cross_fit(
    const std::vector<FrontPoint>& points,
    const std::vector<std::string>& objectives,
    const Bootstrap& bootstrap,
    const Scalarisation& f = LinearScalarisation());

}  // namespace moft
