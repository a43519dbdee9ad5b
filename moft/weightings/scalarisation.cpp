// Scalarisations: values and gradients.
#include "moft/weightings/scalarisation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "moft/core/errors.h"

namespace moft {
namespace {

void check(std::span<const double> rewards, std::span<const double> weights) {
  if (rewards.size() == weights.size()) return;
  throw_caller_error(
      "{} rewards and {} weights; give one weight per objective",
      rewards.size(),
      weights.size());
}

void check(
    std::span<const double> rewards,
    std::span<const double> weights,
    const std::vector<double>& per_objective) {
  check(rewards, weights);
  if (rewards.size() == per_objective.size()) return;
  throw_caller_error(
      "{} rewards meet a scalarisation of {} objectives; give one reward per "
      "objective",
      rewards.size(),
      per_objective.size());
}

double sum_of(std::span<const double> weights) {
  return std::accumulate(weights.begin(), weights.end(), 0.0);
}

double linear(
    std::span<const double> rewards, std::span<const double> weights) {
  double sum = 0.0;
  for (std::size_t i = 0; i < rewards.size(); ++i)
    sum += weights[i] * rewards[i];
  return sum;
}

// w_i (R_i - z_i); +infinity for an objective without weight.
std::vector<double> weighted_distances(
    std::span<const double> rewards,
    std::span<const double> weights,
    const std::vector<double>& reference) {
  std::vector<double> distances(
      rewards.size(), std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < rewards.size(); ++i)
    if (weights[i] > 0.0)
      distances[i] = weights[i] * (rewards[i] - reference[i]);
  return distances;
}

double least(const std::vector<double>& distances) {
  return *std::min_element(distances.begin(), distances.end());
}

}  // namespace

// ---- linear ----------------------------------------------------------------

double LinearScalarisation::value(
    std::span<const double> rewards, std::span<const double> weights) const {
  check(rewards, weights);
  return linear(rewards, weights);
}

std::vector<double> LinearScalarisation::gradient(
    std::span<const double> rewards, std::span<const double> weights) const {
  check(rewards, weights);
  return {weights.begin(), weights.end()};
}

// ---- Chebyshev -------------------------------------------------------------

ChebyshevScalarisation::ChebyshevScalarisation(std::vector<double> reference)
    : reference_(std::move(reference)) {}

double ChebyshevScalarisation::value(
    std::span<const double> rewards, std::span<const double> weights) const {
  check(rewards, weights, reference_);
  if (!(sum_of(weights) > 0.0)) return 0.0;
  return least(weighted_distances(rewards, weights, reference_));
}

std::vector<double> ChebyshevScalarisation::gradient(
    std::span<const double> rewards, std::span<const double> weights) const {
  check(rewards, weights, reference_);
  std::vector<double> gradient(rewards.size(), 0.0);
  if (!(sum_of(weights) > 0.0)) return gradient;
  const std::vector<double> distances =
      weighted_distances(rewards, weights, reference_);
  const double lowest = least(distances);
  const auto pieces = static_cast<double>(
      std::count(distances.begin(), distances.end(), lowest));
  for (std::size_t i = 0; i < gradient.size(); ++i)
    if (distances[i] == lowest) gradient[i] = weights[i] / pieces;
  return gradient;
}

// ---- smooth minimum --------------------------------------------------------

SmoothMinimumScalarisation::SmoothMinimumScalarisation(
    std::vector<double> reference, double temperature)
    : reference_(std::move(reference)), temperature_(temperature) {
  if (temperature > 0.0) return;
  throw_caller_error(
      "the smooth minimum's temperature is {}; give a number above 0, or the "
      "Chebyshev scalarisation",
      temperature);
}

double SmoothMinimumScalarisation::value(
    std::span<const double> rewards, std::span<const double> weights) const {
  check(rewards, weights, reference_);
  const double scale = temperature_ * sum_of(weights);
  if (!(scale > 0.0)) return 0.0;
  const std::vector<double> distances =
      weighted_distances(rewards, weights, reference_);
  const double lowest = least(distances);
  double sum = 0.0;
  for (const double distance : distances)
    sum += std::exp((lowest - distance) / scale);
  return lowest - scale * std::log(sum);
}

std::vector<double> SmoothMinimumScalarisation::gradient(
    std::span<const double> rewards, std::span<const double> weights) const {
  check(rewards, weights, reference_);
  std::vector<double> gradient(rewards.size(), 0.0);
  const double scale = temperature_ * sum_of(weights);
  if (!(scale > 0.0)) return gradient;
  const std::vector<double> distances =
      weighted_distances(rewards, weights, reference_);
  const double lowest = least(distances);
  double sum = 0.0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    gradient[i] = std::exp((lowest - distances[i]) / scale);
    sum += gradient[i];
  }
  for (std::size_t i = 0; i < gradient.size(); ++i)
    gradient[i] *= weights[i] / sum;
  return gradient;
}

// ---- Nash ------------------------------------------------------------------

NashScalarisation::NashScalarisation(
    std::vector<double> reference, double floor)
    : reference_(std::move(reference)), floor_(floor) {
  if (floor > 0.0) return;
  throw_caller_error(
      "the Nash scalarisation's floor is {}; give a number above 0", floor);
}

double NashScalarisation::value(
    std::span<const double> rewards, std::span<const double> weights) const {
  check(rewards, weights, reference_);
  double sum = 0.0;
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    const double gain = rewards[i] - reference_[i];
    sum += weights[i] * (gain >= floor_
                             ? std::log(gain)
                             : std::log(floor_) + (gain - floor_) / floor_);
  }
  return sum;
}

std::vector<double> NashScalarisation::gradient(
    std::span<const double> rewards, std::span<const double> weights) const {
  check(rewards, weights, reference_);
  std::vector<double> gradient;
  for (std::size_t i = 0; i < rewards.size(); ++i)
    gradient.push_back(
        weights[i] / std::max(rewards[i] - reference_[i], floor_));
  return gradient;
}

// ---- constraint ------------------------------------------------------------

ConstraintScalarisation::ConstraintScalarisation(
    std::vector<double> bounds, double penalty)
    : bounds_(std::move(bounds)), penalty_(penalty) {
  if (penalty >= 0.0) return;
  throw_caller_error(
      "the penalty of a constraint is {}; give a number of at least 0",
      penalty);
}

double ConstraintScalarisation::value(
    std::span<const double> rewards, std::span<const double> weights) const {
  check(rewards, weights, bounds_);
  double missing = 0.0;
  for (std::size_t i = 0; i < rewards.size(); ++i)
    missing += std::max(0.0, bounds_[i] - rewards[i]);
  return linear(rewards, weights) - penalty_ * sum_of(weights) * missing;
}

std::vector<double> ConstraintScalarisation::gradient(
    std::span<const double> rewards, std::span<const double> weights) const {
  check(rewards, weights, bounds_);
  std::vector<double> gradient(weights.begin(), weights.end());
  const double slope = penalty_ * sum_of(weights);
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    if (rewards[i] < bounds_[i]) gradient[i] += slope;
    if (rewards[i] == bounds_[i]) gradient[i] += slope / 2;
  }
  return gradient;
}

}  // namespace moft
