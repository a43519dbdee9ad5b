// The best point of each weighting, chosen and scored on different prompts.
#include "moft/evaluation/cross_fit.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "moft/core/random.h"

namespace moft {
namespace {

constexpr std::uint32_t kPartitions = 11;
constexpr double kTie = 1e-12;

using Numbers = std::vector<double>;

// The rewards and the KL of one answer, or their sums over several.
struct Score {
  Numbers rewards;  // [m]
  double kl = 0;
};

// What the points score at every prompt, and how each point's steering ranks
// them.
class Scores {
 public:
  Scores(
      const std::vector<FrontPoint>& points,
      const std::vector<std::string>& objectives,
      const Scalarisation& f)
      : f_(f) {
    for (const FrontPoint& point : points) {
      std::vector<Score>& scores = scores_.emplace_back();
      for (std::size_t n = 0; n < point.per_prompt.kl.size(); ++n) {
        Score& score = scores.emplace_back();
        for (const std::string& name : objectives)
          score.rewards.push_back(point.per_prompt.rewards.at(name)[n]);
        score.kl = point.per_prompt.kl[n];
      }
      Numbers& weights = weights_.emplace_back();
      for (const std::string& name : objectives)
        weights.push_back((1 - point.alpha) * point.weights.at(name));
      alphas_.push_back(point.alpha);
    }
  }

  std::size_t points() const { return scores_.size(); }

  // Value of point j at prompt n by the steering of point i.
  double value(std::size_t i, std::size_t j, std::size_t n) const {
    return value(i, scores_[j][n]);
  }

  // Sums of every point's scores over some prompts, [points].
  std::vector<Score> sums(const std::vector<std::size_t>& prompts) const {
    std::vector<Score> result;
    for (const std::vector<Score>& scores : scores_) {
      Score sum{Numbers(weights_.front().size(), 0.0)};
      for (const std::size_t n : prompts) {
        for (std::size_t i = 0; i < sum.rewards.size(); ++i)
          sum.rewards[i] += scores[n].rewards[i];
        sum.kl += scores[n].kl;
      }
      result.push_back(sum);
    }
    return result;
  }

  // The point that serves steering i best by these sums; i itself on a tie.
  std::size_t best(std::size_t i, const std::vector<Score>& sums) const {
    std::size_t chosen = i;
    double highest = value(i, sums[i]) + kTie;
    for (std::size_t j = 0; j < points(); ++j) {
      const double candidate = value(i, sums[j]);
      if (candidate <= highest) continue;
      highest = candidate;
      chosen = j;
    }
    return chosen;
  }

 private:
  double value(std::size_t i, const Score& score) const {
    return f_.value(score.rewards, weights_[i]) - alphas_[i] * score.kl;
  }

  const Scalarisation& f_;
  std::vector<std::vector<Score>> scores_;  // [points][prompts]
  std::vector<Numbers> weights_;            // (1 - alpha) w, [points][m]
  Numbers alphas_;                          // [points]
};

// What the points chosen on some prompts gain over the own ones on others,
// [points][scored].
std::vector<Numbers> gains_of(
    const Scores& scores,
    const std::vector<std::size_t>& chosen_on,
    const std::vector<std::size_t>& scored_on) {
  std::vector<Numbers> gains(scores.points(), Numbers(scored_on.size(), 0.0));
  if (chosen_on.empty()) return gains;
  const std::vector<Score> sums = scores.sums(chosen_on);
  for (std::size_t i = 0; i < scores.points(); ++i) {
    const std::size_t chosen = scores.best(i, sums);
    if (chosen == i) continue;
    for (std::size_t k = 0; k < scored_on.size(); ++k) {
      gains[i][k] = scores.value(i, chosen, scored_on[k]) -
                    scores.value(i, i, scored_on[k]);
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

// One figure of several halves: the mean over their prompts, between the
// medians of their bounds. What a half is scored on is independent of what was
// chosen on the other, so its own bounds hold; the median of bounds that hold
// does nearly as well (Chernozhukov et al., 2018). Bounds of both halves
// together would not: a setting that is lucky in both is chosen in both.
class OverHalves {
 public:
  void add(const Bootstrap& bootstrap, const Numbers& per_prompt) {
    const Interval one = bootstrap.mean(per_prompt);
    const auto count = static_cast<double>(per_prompt.size());
    sum_ += one.mean * count;
    prompts_ += count;
    lows_.push_back(one.low);
    highs_.push_back(one.high);
  }

  Interval result() const {
    const double mean = sum_ / prompts_;
    return {
        mean,
        std::min(mean, quantile(lows_, 0.5)),
        std::max(mean, quantile(highs_, 0.5))};
  }

 private:
  double sum_ = 0;
  double prompts_ = 0;
  Numbers lows_, highs_;
};

// Mean over the points of what each gives at its own steering.
double own_value(const Scores& scores, std::size_t prompt) {
  double sum = 0;
  for (std::size_t i = 0; i < scores.points(); ++i)
    sum += scores.value(i, i, prompt);
  return sum / static_cast<double>(scores.points());
}

Interval share_of(const std::vector<OverHalves>& regrets) {
  Interval share;
  const auto one = 1 / static_cast<double>(regrets.size());
  for (const OverHalves& figure : regrets) {
    const Interval regret = figure.result();
    if (regret.mean <= kTie) share.mean += one;
    if (regret.high <= kTie) share.low += one;
    if (regret.low <= kTie) share.high += one;
  }
  return share;
}

}  // namespace

std::array<std::vector<std::size_t>, 2> random_halves(
    std::size_t prompts, std::uint64_t seed, std::uint32_t partition) {
  std::vector<std::size_t> order(prompts);
  std::iota(order.begin(), order.end(), 0);
  // Step 0 holds the resamples of the bootstrap.
  RandomStream stream(seed, Purpose::kBootstrap, 1, partition);
  for (std::size_t n = prompts; n > 1; --n)
    std::swap(order[n - 1], order[stream.below(n)]);
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(prompts / 2);
  return {
      std::vector<std::size_t>(order.begin(), middle),
      std::vector<std::size_t>(middle, order.end())};
}

CrossFit cross_fit(
    const std::vector<FrontPoint>& points,
    const std::vector<std::string>& objectives,
    const Bootstrap& bootstrap,
    const Scalarisation& f) {
  const Scores scores(points, objectives, f);
  const std::size_t prompts = bootstrap.prompts();
  // Halves differ in size where the number of prompts is odd.
  std::map<std::size_t, Bootstrap> bootstraps;
  OverHalves best, regret;
  std::vector<OverHalves> regrets(points.size());
  for (std::uint32_t k = 0; k < kPartitions; ++k) {
    const auto halves = random_halves(prompts, bootstrap.options().seed, k);
    for (std::size_t h = 0; h < 2; ++h) {
      const std::vector<std::size_t>& scored = halves[h];
      if (scored.empty()) continue;
      const Bootstrap& half =
          bootstraps
              .try_emplace(scored.size(), scored.size(), bootstrap.options())
              .first->second;
      const auto gains = gains_of(scores, halves[1 - h], scored);
      Numbers gain = mean_over_points(gains);
      regret.add(half, gain);
      for (std::size_t n = 0; n < scored.size(); ++n)
        gain[n] += own_value(scores, scored[n]);
      best.add(half, gain);
      for (std::size_t i = 0; i < points.size(); ++i)
        regrets[i].add(half, gains[i]);
    }
  }
  return {best.result(), regret.result(), share_of(regrets)};
}

}  // namespace moft
