// Toy fronts for soups against joint training, with exact gradients.
//
// n outputs, m rewards, softmax logits, KL-regularised values; the experts of
// a soup train steps / m steps each, the copies of CLP `steps` steps together
// on a fixed sample of 50 weightings. Three kinds of rewards: independent
// uniforms, directions on a sphere (compromises are good: a bulging front) and
// their squares (compromises are bad).
//
// They test a direction, not a size: joint training wins at interior
// weightings when both have trained long, and the soup at the corners.
//
// Thread safety: pure.
#pragma once

#include <cstdint>

#include "moft/exact/enumerated_problem.h"

namespace moft::exact {

enum class FrontKind { kRandom, kConcave, kConvex };

EnumeratedProblem front_problem(
    FrontKind kind, std::uint64_t seed, int outputs, int objectives);

struct FrontTraining {
  int steps = 12000;
  double step_size = 1.0;
  double alpha = 0.01;
};

// Values under each weighting, [weightings].
struct FrontComparison {
  Vector soup;
  Vector together;
  Vector optimum;
};

FrontComparison compare_training(
    const EnumeratedProblem& problem,
    const FrontTraining& training,
    const Matrix& weightings);

// The weightings that the comparisons are read at: eleven for two objectives,
// the corners, edges, six inner points and the centre (13) for three.
Matrix comparison_weightings(int objectives);

}  // namespace moft::exact
