// The counterexample of CLP (arXiv 2407.15762), section 6.2 and figure 19.
//
// Three outputs with rewards R1 = (1, 0, 3/4), R2 = (0, 1, 3/4) and a softmax
// over three logits. Under the weighting (1 - lambda, lambda) the best output
// is 1, then 3 (from lambda = 1/4), then 2 (from 3/4). Experts that were
// trained alone drive the logit of output 3 down, so mixing them (rewarded
// soups, RS) loses nearly 1/4 in the middle, the more the longer they train;
// copies trained together under drawn weightings (CLP) find it.
//
// What is special is the training, not the mixing: theta^(i) = k R_i mixes to
// softmax(k R_w), which is optimal as k grows (see witness()).
//
// Everything here takes exact gradients; nothing is drawn. Thread safety: pure.
#pragma once

#include <functional>

#include "verify/distributions.h"

namespace moft::exact {

struct CounterexampleTraining {
  int steps = 2000;
  double step_size = 1.0;
  double alpha = 0.0;  // KL strength towards the uniform reference
};

// Policy under lambda: probabilities [3].
using Policy3 = std::function<Vector(double lambda)>;

// [2][3]
const Matrix& counterexample_rewards();
// R_w [3]
Vector mixed_reward(double lambda);
// max(1 - lambda, lambda, 3/4)
double best_reward(double lambda);

// Logits [3] of one expert, trained from the uniform policy at `lambda`.
Vector train_expert(double lambda, const CounterexampleTraining& training);

// Logits of the two copies [2][3], trained together: each step takes the exact
// expected gradient over 100 midpoints of lambda in [0, 1].
Matrix train_together(const CounterexampleTraining& training);

// softmax((1 - lambda) first + lambda second)
Policy3 mixture(Vector first, Vector second);
// softmax(k R_w)
Policy3 witness(double k);
// The maximiser at KL strength alpha > 0, uniform reference.
Policy3 regularised_optimum(double alpha);

// Figures of a policy, rewards unregularised.
struct CounterexampleFront {
  Matrix points;             // (E R1, E R2) at lambda = 0, 0.1, .., 1
  double max_regret = 0.0;   // over those eleven
  double moft = 0.0;         // mean of w.E[R] over 100 midpoints (equation 2)
  double hypervolume = 0.0;  // reference (0, 0)
  double hull = 0.0;         // area under the concave hull
};

CounterexampleFront measure(const Policy3& policy);

}  // namespace moft::exact
