// Oracles of docs/paper.md's rows 14, 47 and 137: the effect of the training
// weightings on the front of two-reward toys.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "tests/trained/oracles.h"
#include "tests/trained/weighting_toys.h"

namespace moft::exact {
namespace {

using enum FrontKind;

constexpr int kOutputs = 20;
constexpr int kTrainedWeightings = 50;
constexpr std::uint64_t kFirstSeed = 200, kLastSeed = 209;

// Means over ten problems, from tests/reference/exact/weighting_toys.py.
struct ToyRow {
  FrontKind kind;
  const char* name;
  // At alpha .01: extents of both objectives under Dirichlet(1) and
  // Dirichlet(100); regret inside and outside the removed band.
  double spread[2], crowded[2];
  double inside, outside;
  double diagonal_share;  // at alpha .1
};

constexpr ToyRow kRows[] = {
    {kRandom,
     "random",
     {0.056448449731307825, 0.1088148752747979},
     {0.001582505808258261, 0.001864211019312312},
     0.010061224971460728,
     0.018667345995254176,
     1.0},
    {kConcave,
     "concave",
     {0.5071851129292014, 0.5185889094181654},
     {0.03269673042498124, 0.03380165370762713},
     0.026248935545545322,
     0.017962270286277393,
     1.0},
    {kConvex,
     "convex",
     {0.7857541251222686, 0.7935582463346915},
     {0.16211314874509736, 0.1555798887931989},
     0.01871533187308471,
     0.016627102614268773,
     1.0},
};

// Runs `read` on each of the ten problems and averages what it returns.
template <class Read>
Vector mean_over_problems(FrontKind kind, const Read& read) {
  Vector sums;
  for (std::uint64_t seed = kFirstSeed; seed <= kLastSeed; ++seed) {
    const Vector figures = read(front_problem(kind, seed, kOutputs, 2));
    sums.resize(figures.size());
    for (std::size_t k = 0; k < figures.size(); ++k)
      sums[k] += figures[k];
  }
  for (double& sum : sums)
    sum /= static_cast<double>(kLastSeed - kFirstSeed + 1);
  return sums;
}

// Row 47
void verify_collapse(OracleBook& book, const ToyRow& row) {
  const auto extent_under = [&](int concentration) {
    const Matrix weightings =
        dirichlet_weightings(concentration, 2, kTrainedWeightings);
    return mean_over_problems(row.kind, [&](const EnumeratedProblem& problem) {
      const FrontTraining training;
      const Matrix copies = train_copies(problem, training, weightings);
      return read_front(problem, copies, training.alpha).extent;
    });
  };
  const Vector spread = extent_under(1);
  const Vector crowded = extent_under(100);
  const std::string name =
      fmt::format("training weightings: {}, extent of the front", row.name);
  book.equal_all(
      name + " under Dirichlet(1), Dirichlet(100)",
      {row.spread[0], row.spread[1], row.crowded[0], row.crowded[1]},
      {spread[0], spread[1], crowded[0], crowded[1]},
      1e-6);
  book.at_most(
      name + ": Dirichlet(100) as a share of Dirichlet(1)",
      .25,
      std::max(crowded[0] / spread[0], crowded[1] / spread[1]));
}

// Row 137
void verify_removed_band(OracleBook& book, const ToyRow& row) {
  const Vector regret =
      mean_over_problems(row.kind, [](const EnumeratedProblem& problem) {
        const BandRegret band = removed_band_regret(problem, {});
        return Vector{band.inside, band.outside};
      });
  const std::string name = fmt::format(
      "training weightings: {}, without lambda from .4 to .6", row.name);
  book.equal_all(
      name + ": regret inside, outside",
      {row.inside, row.outside},
      regret,
      1e-6);
  book.at_most(
      name + ": inside as a multiple of outside", 1.5, regret[0] / regret[1]);
}

// Row 14
void verify_diagonal(OracleBook& book, const ToyRow& row) {
  const Vector share =
      mean_over_problems(row.kind, [](const EnumeratedProblem& problem) {
        const FrontTraining training{.alpha = .1};
        const Matrix copies = train_copies(
            problem, training, midpoint_weightings(kTrainedWeightings));
        return Vector{
            read_front(problem, copies, training.alpha).diagonal_share};
      });
  book.equal(
      fmt::format(
          "training weightings: {}, alpha .1, weightings best served by their "
          "own policy",
          row.name),
      row.diagonal_share,
      share[0],
      .01);
}

}  // namespace

void verify_weighting_toys(OracleBook& book) {
  for (const ToyRow& row : kRows) {
    verify_collapse(book, row);
    verify_removed_band(book, row);
    verify_diagonal(book, row);
  }
}

}  // namespace moft::exact
