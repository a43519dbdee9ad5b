// What the weightings of training do to a front: the two-reward toys of
// front_toys.h, trained on other weightings than the even ones.
//
//   concentration  weightings that crowd in the middle leave the copies alike,
//                  and the front shrinks to a point (appendix A.4)
//   removed band   weightings never trained on, between others that were
//   diagonal       the policy of a weighting is the best of all policies for it
//
// Thread safety: pure.
#pragma once

#include "tests/trained/front_toys.h"

namespace moft::exact {

// `count` draws from Dirichlet(concentration, .., concentration), from
// splitmix64 with seed 7. `concentration` is a whole number from 1 on: each
// weight is the sum of that number of exponentials, normalised.
Matrix dirichlet_weightings(int concentration, int objectives, int count);

// Figures of a policy at eleven even weightings.
struct ToyFront {
  Vector extent;                // largest minus smallest E R_i, per objective
  double diagonal_share = 0.0;  // weightings best served by their own policy
};
ToyFront read_front(
    const EnumeratedProblem& problem, const Matrix& copies, double alpha);

// Mean of V* - V over 100 even weightings after training without those whose
// lambda is above .4 and below .6.
struct BandRegret {
  double inside = 0.0;
  double outside = 0.0;
};
BandRegret removed_band_regret(
    const EnumeratedProblem& problem, const FrontTraining& training);

}  // namespace moft::exact
