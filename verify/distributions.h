// Finite distributions in double, held as log-probabilities.
//
// -inf stands for probability 0. Two vectors that meet must have one size
// (REQUIRES). Thread safety: pure functions.
#pragma once

#include <vector>

namespace moft::exact {

using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;

double dot(const Vector& a, const Vector& b);
// a x + b y, elementwise.
Vector combine(double a, const Vector& x, double b, const Vector& y);
// sum_i w_i rows[i].
Vector weighted_sum(const Vector& w, const Matrix& rows);

double log_sum_exp(const Vector& x);
Vector softmax(const Vector& logits);
Vector log_softmax(const Vector& logits);
Vector exponentials(const Vector& logs);

// KL(p || q) in nats from normalised log-probabilities:
//   sum p (expm1(-u) + u), u = log p - log q,
// a sum of non-negative terms, so that it is exactly 0 for equal arguments
// and keeps its digits when small (the plain sum p u loses all below 1e-10).
// +inf when q lacks something p has.
double kl_divergence(const Vector& log_p, const Vector& log_q);

}  // namespace moft::exact
