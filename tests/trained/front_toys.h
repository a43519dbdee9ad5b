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
#include <vector>

#include "verify/enumerated_problem.h"

namespace moft::exact {

enum class FrontKind { kRandom, kConcave, kConvex };

EnumeratedProblem front_problem(
    FrontKind kind, std::uint64_t seed, int outputs, int objectives);

struct FrontTraining {
  int steps = 12000;
  double step_size = 1.0;
  double alpha = 0.01;
};

// Updates of each of `runs` runs that share `steps` between them: as even as
// whole numbers allow, the first ones longer. Their sum is `steps`, which is
// what makes a soup's budget that of one joint run (appendix B).
std::vector<int> split_steps(int steps, int runs);

// Logits of the experts, each trained on its own reward from the reference,
// with its share of the steps [objectives][outputs].
Matrix train_experts(
    const EnumeratedProblem& problem, const FrontTraining& training);

// Logits of the copies, trained together on the mean over `weightings`
// [weightings][objectives]: [objectives][outputs].
Matrix train_copies(
    const EnumeratedProblem& problem,
    const FrontTraining& training,
    const Matrix& weightings);

// (1 - lambda, lambda) at the midpoints of `count` equal intervals of [0, 1].
Matrix midpoint_weightings(int count);

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
