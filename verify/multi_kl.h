// One reward, all KL strengths (section 4.1.1 and figure 12, as a toy): a
// policy theta mixed with the reference by f_mix(alpha) is fitted to the mean
// value over alpha, by exact gradients.
//
// Under softmdp the fit is the optimum at every alpha; under linear it cannot
// be, and steers less.
//
// Thread safety: pure.
#pragma once

#include <cstdint>

#include "moft/weightings/steering.h"

#include "verify/enumerated_problem.h"

namespace moft::exact {

struct MultiKlFit {
  double mean_regret = 0.0;  // over 400 alphas, f_mix uniform (softmdp)
  // At alpha .01 .02 .05 .1 .2 .5 .9 1.
  Vector rewards, kl, values;
};

// Bandit `seed` with `outputs` outputs, R = .9 R_1 + .1 R_2, alpha_min .01.
MultiKlFit fit_multi_kl(std::uint64_t seed, int outputs, FMix f_mix);

}  // namespace moft::exact
