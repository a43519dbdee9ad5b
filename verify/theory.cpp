// The lemmas and bounds of section 6 and appendix E.
#include "verify/theory.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "verify/splitmix.h"

namespace moft::exact {
namespace {

double smallest(const Vector& values) {
  return *std::min_element(values.begin(), values.end());
}

// Largest ratio p / q.
double largest_ratio(const Vector& log_p, const Vector& log_q) {
  double largest = -std::numeric_limits<double>::infinity();
  for (std::size_t a = 0; a < log_p.size(); ++a) {
    if (std::isinf(log_p[a])) continue;  // probability 0
    largest = std::max(largest, log_p[a] - log_q[a]);
  }
  return std::exp(largest);
}

double largest_shifted_logit(const Vector& logits) {
  double largest = 0.0;
  for (const double value : logits)
    largest = std::max(largest, std::abs(value - logits.back()));
  return largest;
}

}  // namespace

double coverage_constant(const Vector& log_p1, const Vector& log_p2) {
  return largest_ratio(log_p2, log_p1);
}

Vector mix_log_probs(
    const Vector& log_p1, const Vector& log_p2, double lambda) {
  return log_softmax(combine(1.0 - lambda, log_p1, lambda, log_p2));
}

double log_partition_gap(const Vector& x, const Vector& y, double lambda) {
  return (1.0 - lambda) * log_sum_exp(x) + lambda * log_sum_exp(y) -
         log_sum_exp(combine(1.0 - lambda, x, lambda, y));
}

double lemma3_bound_as_printed(double largest) {
  return largest * largest / 8.0;
}

double lemma3_bound(double largest) {
  return largest * largest / 2.0;
}

double quadratic_kl_bound(const Vector& x, const Vector& y, bool base_only) {
  double square = 0.0;
  for (std::size_t a = 0; a < x.size(); ++a)
    square += (x[a] - y[a]) * (x[a] - y[a]);
  double p_min = smallest(softmax(x));
  if (!base_only) p_min = std::min(p_min, smallest(softmax(y)));
  return 0.5 * p_min / static_cast<double>(x.size()) * square;
}

// With D = diag(q) the eigenvalues solve 1 = sum q_i^2 / (q_i - t); the right
// side rises from 1 - p_n at t = 0 to infinity at the smallest q.
double smallest_hessian_eigenvalue(const Vector& p) {
  const Vector q(p.begin(), p.end() - 1);
  double low = 0.0;
  double high = smallest(q);
  for (int i = 0; i < 200; ++i) {
    const double t = 0.5 * (low + high);
    double sum = 0.0;
    for (const double value : q)
      sum += value * value / (value - t);
    (sum < 1.0 ? low : high) = t;
  }
  return low;
}

double lemma5_bound(const Vector& p) {
  return smallest(p) / static_cast<double>(p.size());
}

double corrected_bound(
    const Vector& log_p1,
    const Vector& log_p2,
    double epsilon1,
    double epsilon2,
    double lambda) {
  const Vector mixed = mix_log_probs(log_p1, log_p2, lambda);
  return (1.0 - lambda) * largest_ratio(mixed, log_p1) * epsilon1 +
         lambda * largest_ratio(mixed, log_p2) * epsilon2;
}

MixtureReport bound_mixture(const MixtureCase& mixture) {
  const double lambda = mixture.lambda;
  const Vector p1 = log_softmax(mixture.logits1);
  const Vector p2 = log_softmax(mixture.logits2);
  const Vector best1 = log_softmax(mixture.optimal1);
  const Vector best2 = log_softmax(mixture.optimal2);
  const auto n = static_cast<double>(p1.size());

  MixtureReport report;
  report.kl1 = kl_divergence(p1, best1);
  report.kl2 = kl_divergence(p2, best2);
  report.kl_mixture = kl_divergence(
      mix_log_probs(p1, p2, lambda), mix_log_probs(best1, best2, lambda));
  report.gap = mixture.alpha * report.kl_mixture;
  report.epsilon = mixture.alpha * std::max(report.kl1, report.kl2);
  report.p_min = std::exp(std::min(smallest(p1), smallest(p2)));
  report.eta = std::max(
      largest_shifted_logit(mixture.logits1),
      largest_shifted_logit(mixture.logits2));
  report.c12 = coverage_constant(p1, p2);
  report.c21 = coverage_constant(p2, p1);

  const double coverage = (1.0 - lambda) * std::pow(report.c21, lambda) +
                          lambda * std::pow(report.c12, 1.0 - lambda);
  report.theorem1 =
      report.epsilon * (coverage + 1.0 / (report.p_min * report.p_min));
  report.theorem2 =
      report.epsilon * (std::exp(report.eta * report.eta / 8.0) * coverage +
                        4.0 * n / report.p_min);
  report.corrected = corrected_bound(
      p1, p2, mixture.alpha * report.kl1, mixture.alpha * report.kl2, lambda);
  report.simple = report.epsilon / report.p_min;
  return report;
}

MixtureCase bad_coverage(double p) {
  const double a = std::log(1.0 - 2.0 * p);
  const double b = std::log(p);
  const double half = std::log(0.5);
  return {
      .logits1 = {a, b, b},
      .logits2 = {b, a, b},
      .optimal1 = {a, b, b + half},
      .optimal2 = {b, a, b + half},
      .lambda = 0.5,
      .alpha = 0.5};
}

MixtureCase random_mixture(std::uint64_t seed) {
  SplitMix64 random(seed);
  const int n = 2 + static_cast<int>(random.below(7));
  MixtureCase mixture;
  mixture.alpha = 0.05 + 0.9 * random.uniform();
  mixture.lambda = random.uniform();
  const double tilt = (1.0 - mixture.alpha) / mixture.alpha;
  const Vector reference = random.normals(n);
  const Vector reward1 = random.uniforms(n);
  const Vector reward2 = random.uniforms(n);
  mixture.optimal1 = combine(1.0, reference, tilt, reward1);
  mixture.optimal2 = combine(1.0, reference, tilt, reward2);
  mixture.logits1 = combine(1.0, mixture.optimal1, 0.5, random.normals(n));
  mixture.logits2 = combine(1.0, mixture.optimal2, 0.5, random.normals(n));
  return mixture;
}

}  // namespace moft::exact
