// The generator splitmix64.
#include "verify/splitmix.h"

#include <cmath>
#include <numbers>

namespace moft::exact {

std::uint64_t SplitMix64::next_u64() {
  state_ += 0x9E3779B97F4A7C15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

double SplitMix64::uniform() {
  return static_cast<double>(next_u64() >> 11) * 0x1p-53;
}

double SplitMix64::normal() {
  const double first = 1.0 - uniform();
  const double second = uniform();
  return std::sqrt(-2.0 * std::log(first)) *
         std::cos(2.0 * std::numbers::pi * second);
}

double SplitMix64::exponential() {
  return -std::log(1.0 - uniform());
}

std::uint64_t SplitMix64::below(int n) {
  return static_cast<std::uint64_t>(uniform() * n);
}

std::vector<double> SplitMix64::uniforms(int n) {
  std::vector<double> values(n);
  for (double& value : values)
    value = uniform();
  return values;
}

std::vector<double> SplitMix64::normals(int n) {
  std::vector<double> values(n);
  for (double& value : values)
    value = normal();
  return values;
}

std::vector<double> SplitMix64::dirichlet1(int m) {
  std::vector<double> values(m);
  double sum = 0.0;
  for (double& value : values)
    sum += value = exponential();
  for (double& value : values)
    value /= sum;
  return values;
}

}  // namespace moft::exact
