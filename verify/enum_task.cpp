// ENUM-1: prompts, answers, rewards and optima.
#include "verify/enum_task.h"

#include <algorithm>
#include <set>

#include "moft/weightings/steering.h"

namespace moft::exact {
namespace {

constexpr int kMaxTokens = 3;
constexpr int kVocabulary = 6;

double faithfulness(const Sequence& answer, const Sequence& document) {
  const std::set<int> distinct(answer.begin(), answer.end());
  double share = 0.5;
  if (!distinct.empty()) {
    const auto found =
        std::count_if(distinct.begin(), distinct.end(), [&](int token) {
          return std::count(document.begin(), document.end(), token) > 0;
        });
    share = static_cast<double>(found) / static_cast<double>(distinct.size());
  }
  return share - 0.1 * static_cast<double>(answer.size());
}

double unigram_f1(const Sequence& answer, const Sequence& summary) {
  std::int64_t common = 0;
  for (int token = 1; token < kVocabulary; ++token) {
    common += std::min(
        std::count(answer.begin(), answer.end(), token),
        std::count(summary.begin(), summary.end(), token));
  }
  if (common == 0) return 0.0;
  return 2.0 * static_cast<double>(common) /
         static_cast<double>(answer.size() + summary.size());
}

MixingGap gap_over_prompts(const std::vector<double>& gaps) {
  MixingGap gap;
  for (const double value : gaps) {
    gap.mean += value / static_cast<double>(gaps.size());
    gap.largest = std::max(gap.largest, value);
  }
  return gap;
}

// V* - V of the policy whose token logits are a first + b second.
double loss_of_mix(
    const EnumTask& task,
    std::size_t prompt,
    const Logits& first,
    const Logits& second,
    double share_of_second,
    const Vector& w,
    double alpha) {
  Logits mixed;
  for (std::size_t i = 0; i < first.size(); ++i) {
    mixed.push_back(
        combine(1.0 - share_of_second, first[i], share_of_second, second[i]));
  }
  const EnumeratedProblem& problem = task.problem(prompt);
  const double value =
      score_policy(problem, task.tree().log_probs(mixed), w, alpha).value;
  return optimum(problem, w, alpha).value - value;
}

Logits optimal_logits(
    const EnumTask& task, std::size_t prompt, const Vector& w, double alpha) {
  return task.tree().conditionals(
      optimum(task.problem(prompt), w, alpha).log_probs);
}

}  // namespace

EnumTask::EnumTask()
    : tree_(kVocabulary, kMaxTokens),
      prompts_(
          {{{1, 2, 3, 1}, {1, 2, 5}},
           {{2, 4}, {4, 3}},
           {{5, 5, 1}, {5}},
           {{3, 4, 5, 2}, {1, 3, 4}}}) {
  for (Sequence answer : tree_.sequences()) {
    if (answer.back() == 0) answer.pop_back();
    answers_.push_back(answer);
  }
  const Logits uniform(tree_.prefixes().size(), Vector(kVocabulary, 0.0));
  for (const EnumPrompt& prompt : prompts_) {
    EnumeratedProblem problem;
    problem.reference = tree_.log_probs(uniform);
    problem.rewards.resize(3);
    for (const Sequence& answer : answers_) {
      problem.rewards[0].push_back(faithfulness(answer, prompt.document));
      problem.rewards[1].push_back(unigram_f1(answer, prompt.summary));
      problem.rewards[2].push_back(
          static_cast<double>(answer.size()) / kMaxTokens);
    }
    problems_.push_back(std::move(problem));
  }
}

PolicyScore EnumTask::optimal_score(const Vector& w, double alpha) const {
  PolicyScore mean;
  const double share = 1.0 / static_cast<double>(problems_.size());
  for (const EnumeratedProblem& problem : problems_) {
    const Vector best = optimum(problem, w, alpha).log_probs;
    add_share(mean, share, score_policy(problem, best, w, alpha));
  }
  return mean;
}

MixingGap token_mixing_gap(const EnumTask& task, double lambda, double alpha) {
  std::vector<double> gaps;
  for (std::size_t prompt = 0; prompt < task.prompts().size(); ++prompt) {
    gaps.push_back(loss_of_mix(
        task,
        prompt,
        optimal_logits(task, prompt, {1, 0, 0}, alpha),
        optimal_logits(task, prompt, {0, 1, 0}, alpha),
        lambda,
        {1 - lambda, lambda, 0},
        alpha));
  }
  return gap_over_prompts(gaps);
}

MixingGap dera_gap(const EnumTask& task, double alpha_min, double alpha) {
  const Vector w = {0.5, 0.5, 0.0};
  const Logits uniform(task.tree().prefixes().size(), Vector(kVocabulary, 0.0));
  std::vector<double> gaps;
  for (std::size_t prompt = 0; prompt < task.prompts().size(); ++prompt) {
    gaps.push_back(loss_of_mix(
        task,
        prompt,
        optimal_logits(task, prompt, w, alpha_min),
        uniform,
        KlRange(alpha_min).mixing_amount(alpha),
        w,
        alpha));
  }
  return gap_over_prompts(gaps);
}

}  // namespace moft::exact
