// Distributions over a few outputs, in logarithms.
#include "verify/distributions.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moft::exact {

double dot(const Vector& a, const Vector& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += a[i] * b[i];
  return sum;
}

Vector combine(double a, const Vector& x, double b, const Vector& y) {
  Vector result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    result[i] = a * x[i] + b * y[i];
  return result;
}

Vector weighted_sum(const Vector& w, const Matrix& rows) {
  Vector result(rows[0].size(), 0.0);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t k = 0; k < result.size(); ++k)
      result[k] += w[i] * rows[i][k];
  }
  return result;
}

double log_sum_exp(const Vector& x) {
  const double top = *std::max_element(x.begin(), x.end());
  if (std::isinf(top)) return top;
  double sum = 0.0;
  for (const double value : x)
    sum += std::exp(value - top);
  return top + std::log(sum);
}

Vector log_softmax(const Vector& logits) {
  const double total = log_sum_exp(logits);
  Vector result(logits);
  for (double& value : result)
    value -= total;
  return result;
}

Vector softmax(const Vector& logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  Vector result(logits.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i)
    sum += result[i] = std::exp(logits[i] - top);
  for (double& value : result)
    value /= sum;
  return result;
}

Vector exponentials(const Vector& logs) {
  Vector result(logs.size());
  for (std::size_t i = 0; i < logs.size(); ++i)
    result[i] = std::exp(logs[i]);
  return result;
}

namespace {

double kl_term(double log_p, double log_q) {
  const double p = std::exp(log_p);
  const double q = std::exp(log_q);
  if (p == 0.0) return q;  // the limit; -p + q sums to 0 over all outputs
  if (q == 0.0) return std::numeric_limits<double>::infinity();
  const double u = log_p - log_q;
  // exp(-u) may overflow where p is tiny; there nothing cancels.
  return u < -30.0 ? q - p + p * u : p * (std::expm1(-u) + u);
}

}  // namespace

double kl_divergence(const Vector& log_p, const Vector& log_q) {
  double sum = 0.0;
  for (std::size_t i = 0; i < log_p.size(); ++i)
    sum += kl_term(log_p[i], log_q[i]);
  return sum;
}

}  // namespace moft::exact
