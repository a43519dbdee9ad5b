// The bounds of the theory on a trained ENUM-1 policy.
#include "tests/trained/theory_report.h"

#include <algorithm>

namespace moft::exact {
namespace {

Steering corner(std::size_t objectives, std::size_t i, double alpha) {
  return {Weighting::corner(objectives, i), alpha};
}

TheoryRow make_row(
    const EnumPolicy& policy,
    std::size_t prompt,
    std::size_t first,
    std::size_t second,
    double lambda) {
  const double alpha = policy.kl_strength();
  const EnumeratedProblem& problem = policy.problem(prompt);
  const std::size_t m = problem.objectives();
  const Steering one = corner(m, first, alpha);
  const Steering two = corner(m, second, alpha);
  std::vector<double> w(m, 0.0);
  w[first] = 1.0 - lambda;
  w[second] = lambda;
  const Steering between{Weighting(w), alpha};
  TheoryRow row{first, second, prompt, lambda, {}, 0.0};
  row.mixture = bound_mixture(
      {.logits1 = policy.log_probs(prompt, one),
       .logits2 = policy.log_probs(prompt, two),
       .optimal1 = optimum(problem, one.w.values(), alpha).log_probs,
       .optimal2 = optimum(problem, two.w.values(), alpha).log_probs,
       .lambda = lambda,
       .alpha = alpha});
  row.conditioned_regret =
      loss_to_optimum(problem, policy.log_probs(prompt, between), w, alpha);
  return row;
}

}  // namespace

std::vector<TheoryRow> theory_report(const EnumPolicy& policy) {
  const std::size_t m = policy.objectives().size();
  std::vector<TheoryRow> rows;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = i + 1; j < m; ++j) {
      for (const double lambda : {0.25, 0.5, 0.75}) {
        for (std::size_t p = 0; p < policy.examples().size(); ++p)
          rows.push_back(make_row(policy, p, i, j, lambda));
      }
    }
  }
  return rows;
}

TheorySummary summarise(
    const std::vector<TheoryRow>& rows,
    std::size_t first,
    std::size_t second,
    double lambda) {
  TheorySummary sum;
  double count = 0.0;
  for (const TheoryRow& row : rows) {
    if (row.first != first || row.second != second || row.lambda != lambda)
      continue;
    const MixtureReport& mixture = row.mixture;
    ++count;
    sum.conditioned_regret += row.conditioned_regret;
    sum.gap += mixture.gap;
    sum.corrected += mixture.corrected;
    sum.coverage = std::max({sum.coverage, mixture.c12, mixture.c21});
    sum.theorem1 = std::max(sum.theorem1, mixture.theorem1);
    sum.theorem2 = std::max(sum.theorem2, mixture.theorem2);
  }
  for (double* mean : {&sum.conditioned_regret, &sum.gap, &sum.corrected})
    *mean /= count;
  return sum;
}

}  // namespace moft::exact
