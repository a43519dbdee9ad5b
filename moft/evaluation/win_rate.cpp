// The win rule, with its intervals and test.
#include "moft/evaluation/win_rate.h"

#include <algorithm>
#include <cmath>

namespace moft {

QuestionOutcome question_outcome(
    std::string_view in_order, std::string_view swapped) {
  if (in_order == "SUMMARY1" && swapped == "SUMMARY2") {
    return QuestionOutcome::kFirst;
  }
  if (in_order == "SUMMARY2" && swapped == "SUMMARY1") {
    return QuestionOutcome::kSecond;
  }
  return QuestionOutcome::kInconsistent;
}

Win article_winner(QuestionOutcome conciseness, QuestionOutcome quality) {
  const auto has = [&](QuestionOutcome side) {
    return conciseness == side || quality == side;
  };
  const bool first = has(QuestionOutcome::kFirst);
  const bool second = has(QuestionOutcome::kSecond);
  if (first == second) return Win::kTie;
  return first ? Win::kFirst : Win::kSecond;
}

double sign_test(std::size_t wins, std::size_t losses) {
  const std::size_t n = wins + losses;
  if (n == 0) return 1;
  const std::size_t fewer = std::min(wins, losses);
  if (2 * fewer == n) return 1;
  const double trials = static_cast<double>(n);
  double log_chance = -trials * std::log(2.0);  // of exactly k hits
  double tail = 0;
  for (std::size_t k = 0; k <= fewer; ++k) {
    const double hits = static_cast<double>(k);
    tail += std::exp(log_chance);
    log_chance += std::log((trials - hits) / (hits + 1));
  }
  return std::min(1.0, 2 * tail);
}

Proportion wilson_interval(
    std::size_t successes, std::size_t trials, double z) {
  if (trials == 0) return {0, 1};
  const double n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n;
  const double scale = 1 + z * z / n;
  const double center = (p + z * z / (2 * n)) / scale;
  const double half =
      z / scale * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {center - half, center + half};
}

NullJudge null_judge(double bias) {
  NullJudge judge;
  judge.consistent = bias * (1 - bias);
  judge.inconsistent = 1 - 2 * judge.consistent;
  judge.win = judge.consistent * judge.consistent +
              2 * judge.consistent * judge.inconsistent;
  return judge;
}

}  // namespace moft
