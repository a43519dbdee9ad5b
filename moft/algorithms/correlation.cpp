// Correlations of rewards, cosines of gradients.
#include "moft/algorithms/correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/row_values.h"

namespace moft {
namespace {

// All the rows are one group where there are no labels.
std::vector<double> centred(
    const at::Tensor& column, const at::Tensor& groups) {
  std::vector<double> values = row_values(column, "rewards");
  const at::Tensor labels =
      groups.defined() ? groups : at::zeros({column.numel()}, at::kLong);
  for (const auto& [label, rows] : rows_by_group(labels, values.size())) {
    double mean = 0.0;
    for (const std::size_t row : rows)
      mean += values[row] / static_cast<double>(rows.size());
    for (const std::size_t row : rows)
      values[row] -= mean;
  }
  return values;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// The cosine of every pair of vectors whose inner products are given, [m][m].
std::vector<ObjectivePair> cosines(
    const std::vector<std::vector<double>>& products,
    const std::vector<double>& least_square) {
  std::vector<ObjectivePair> pairs;
  for (std::size_t a = 0; a < products.size(); ++a) {
    for (std::size_t b = a + 1; b < products.size(); ++b) {
      const double one = products[a][a];
      const double other = products[b][b];
      if (!(one > least_square[a]) || !(other > least_square[b])) continue;
      const double cosine =
          products[a][b] / (std::sqrt(one) * std::sqrt(other));
      pairs.push_back({a, b, std::clamp(cosine, -1.0, 1.0)});
    }
  }
  return pairs;
}

double dot(
    const std::vector<ScaledGradient>& a,
    const std::vector<ScaledGradient>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!a[i].takes_part() || !b[i].takes_part()) continue;
    const at::Tensor left = a[i].tensor.detach().to(at::kDouble);
    const at::Tensor right = b[i].tensor.detach().to(at::kDouble);
    sum += a[i].coefficient * b[i].coefficient *
           (left * right).sum().item<double>();
  }
  return sum;
}

}  // namespace

std::vector<ObjectivePair> reward_correlations(
    const at::Tensor& rewards, const at::Tensor& groups) {
  std::vector<std::vector<double>> columns;
  std::vector<double> rounding;  // squared length of what rounding leaves
  for (std::int64_t i = 0; i < rewards.size(1); ++i) {
    const at::Tensor column = rewards.select(1, i);
    columns.push_back(centred(column, groups));
    const double largest =
        kTieTolerance * column.detach().abs().max().item<double>();
    rounding.push_back(largest * largest * static_cast<double>(column.numel()));
  }
  std::vector<std::vector<double>> products;
  for (const auto& a : columns) {
    products.emplace_back();
    for (const auto& b : columns)
      products.back().push_back(dot(a, b));
  }
  return cosines(products, rounding);
}

std::vector<ObjectivePair> gradient_cosines(
    const std::vector<std::vector<ScaledGradient>>& gradients) {
  const std::size_t m = gradients.size();
  std::vector<std::vector<double>> products(m, std::vector<double>(m));
  for (std::size_t a = 0; a < m; ++a)
    for (std::size_t b = a; b < m; ++b)
      products[a][b] = products[b][a] = dot(gradients[a], gradients[b]);
  return cosines(products, std::vector<double>(m, 0.0));
}

}  // namespace moft
