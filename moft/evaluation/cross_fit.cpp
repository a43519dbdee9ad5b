#include "moft/evaluation/cross_fit.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <utility>

#include "moft/core/random.h"

namespace moft {
namespace {

constexpr std::uint32_t kPartitions = 11;
constexpr double kTie = 1e-12;

using Numbers = std::vector<double>;

// The scores behind a value: the m rewards, then the KL.
class Scores {
 public:
  Scores(
      const std::vector<FrontPoint>& points,
      const std::vector<std::string>& objectives) {
    for (const FrontPoint& point : points) {
      std::vector<const Numbers*>& columns = columns_.emplace_back();
      Numbers& factors = factors_.emplace_back();
      for (const std::string& name : objectives) {
        columns.push_back(&point.per_prompt.rewards.at(name));
        factors.push_back((1 - point.alpha) * point.weights.at(name));
      }
      columns.push_back(&point.per_prompt.kl);
      factors.push_back(-point.alpha);
    }
  }

  std::size_t points() const { return columns_.size(); }
  std::size_t columns() const { return factors_.front().size(); }

  // Value of point j at prompt n by the steering of point i.
  double value(std::size_t i, std::size_t j, std::size_t n) const {
    double sum = 0;
    for (std::size_t c = 0; c < columns(); ++c)
      sum += factors_[i][c] * (*columns_[j][c])[n];
    return sum;
  }

  // Sums of every point's columns over some prompts, [points][columns].
  std::vector<Numbers> sums(const std::vector<std::size_t>& prompts) const {
    std::vector<Numbers> result(points(), Numbers(columns(), 0.0));
    for (std::size_t j = 0; j < points(); ++j) {
      for (std::size_t c = 0; c < columns(); ++c) {
        for (const std::size_t n : prompts)
          result[j][c] += (*columns_[j][c])[n];
      }
    }
    return result;
  }

  // The point that serves steering i best by these sums; i itself on a tie.
  std::size_t best(std::size_t i, const std::vector<Numbers>& sums) const {
    const auto score = [&](std::size_t j) {
      return std::inner_product(
          factors_[i].begin(), factors_[i].end(), sums[j].begin(), 0.0);
    };
    std::size_t chosen = i;
    double highest = score(i) + kTie;
    for (std::size_t j = 0; j < points(); ++j) {
      const double candidate = score(j);
      if (candidate <= highest) continue;
      highest = candidate;
      chosen = j;
    }
    return chosen;
  }

 private:
  std::vector<std::vector<const Numbers*>> columns_;  // [points][columns]
  std::vector<Numbers> factors_;                      // the same shape
};

// Two random halves of the prompts.
std::array<std::vector<std::size_t>, 2> random_halves(
    std::size_t prompts, std::uint64_t seed, std::uint32_t partition) {
  std::vector<std::size_t> order(prompts);
  std::iota(order.begin(), order.end(), 0);
  // Step 0 holds the resamples of the bootstrap.
  RandomStream stream(seed, Purpose::kBootstrap, 1, partition);
  for (std::size_t n = prompts; n > 1; --n)
    std::swap(order[n - 1], order[stream.below(n)]);
  std::array<std::vector<std::size_t>, 2> halves;
  for (std::size_t n = 0; n < prompts; ++n)
    halves[n % 2].push_back(order[n]);
  return halves;
}

// What the point chosen on the other half gains over the own one, [points]
// times [prompts].
std::vector<Numbers> gains_of(
    const Scores& scores,
    const std::array<std::vector<std::size_t>, 2>& halves,
    std::size_t prompts) {
  std::vector<Numbers> gains(scores.points(), Numbers(prompts, 0.0));
  for (std::size_t h = 0; h < 2 && prompts > 1; ++h) {
    const std::vector<Numbers> sums = scores.sums(halves[1 - h]);
    for (std::size_t i = 0; i < scores.points(); ++i) {
      const std::size_t chosen = scores.best(i, sums);
      if (chosen == i) continue;
      for (const std::size_t n : halves[h])
        gains[i][n] = scores.value(i, chosen, n) - scores.value(i, i, n);
    }
  }
  return gains;
}

Numbers mean_over_points(const std::vector<Numbers>& rows) {
  Numbers mean(rows.front().size(), 0.0);
  for (const Numbers& row : rows) {
    for (std::size_t n = 0; n < mean.size(); ++n)
      mean[n] += row[n] / static_cast<double>(rows.size());
  }
  return mean;
}

// One figure of several partitions: the mean, between the medians of the
// bounds (Chernozhukov et al., 2018: splitting at random adds to the spread
// that the bounds of a single partition hold).
class OverPartitions {
 public:
  void add(const Interval& one) {
    means_ += one.mean;
    lows_.push_back(one.low);
    highs_.push_back(one.high);
  }

  Interval result() const {
    const double mean = means_ / static_cast<double>(lows_.size());
    return {
        mean,
        std::min(mean, quantile(lows_, 0.5)),
        std::max(mean, quantile(highs_, 0.5))};
  }

 private:
  double means_ = 0;
  Numbers lows_, highs_;
};

Interval share_of(const std::vector<OverPartitions>& regrets) {
  Interval share;
  const auto one = 1 / static_cast<double>(regrets.size());
  for (const OverPartitions& figure : regrets) {
    const Interval regret = figure.result();
    if (regret.mean <= kTie) share.mean += one;
    if (regret.high <= kTie) share.low += one;
    if (regret.low <= kTie) share.high += one;
  }
  return share;
}

}  // namespace

CrossFit cross_fit(
    const std::vector<FrontPoint>& points,
    const std::vector<std::string>& objectives,
    const Bootstrap& bootstrap) {
  const Scores scores(points, objectives);
  const std::size_t prompts = bootstrap.prompts();
  Numbers own(prompts, 0.0);
  for (std::size_t n = 0; n < prompts; ++n) {
    for (std::size_t i = 0; i < points.size(); ++i)
      own[n] += scores.value(i, i, n) / static_cast<double>(points.size());
  }
  OverPartitions best, regret;
  std::vector<OverPartitions> regrets(points.size());
  for (std::uint32_t k = 0; k < kPartitions; ++k) {
    const std::vector<Numbers> gains = gains_of(
        scores, random_halves(prompts, bootstrap.options().seed, k), prompts);
    Numbers gain = mean_over_points(gains);
    regret.add(bootstrap.mean(gain));
    for (std::size_t n = 0; n < prompts; ++n)
      gain[n] += own[n];
    best.add(bootstrap.mean(gain));
    for (std::size_t i = 0; i < points.size(); ++i)
      regrets[i].add(bootstrap.mean(gains[i]));
  }
  return {best.result(), regret.result(), share_of(regrets)};
}

}  // namespace moft
