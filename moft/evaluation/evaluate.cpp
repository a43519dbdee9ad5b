// Answers, scores and measures a policy over weightings.
#include "moft/evaluation/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <numeric>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/data/encode_prompt.h"
#include "moft/evaluation/answers.h"
#include "moft/evaluation/notes.h"
#include "moft/evaluation/summarise.h"
#include "moft/evaluation/text_measures.h"
#include "moft/rewards/outside/asked_by.h"
#include "moft/weightings/grid.h"

namespace moft {
namespace {

// Prompts are worked through in slices, all steerings of a prompt together,
// so that what they share of a prompt is computed once.
constexpr std::size_t kPromptsAtOnce = 8;

class Evaluator {
 public:
  Evaluator(
      Policy& policy,
      const ObjectiveSet& objectives,
      const std::vector<Example>& examples,
      const EvaluateOptions& options,
      const OnProgress& on_progress,
      Group* group)
      : policy_(policy),
        objectives_(objectives),
        examples_(examples),
        prompt_(policy.info().prompt.parsed()),
        options_(options),
        on_progress_(on_progress),
        group_(group && group->size() > 1 ? group : nullptr) {
    prompt_.check(examples_);
    for (const Example& example : examples_) {
      prompts_.push_back(policy_.fill_prompt(example));
      texts_.push_back(prompt_.render(example));
    }
    const std::vector<double> alphas =
        options_.alphas.empty() ? std::vector<double>{policy_.default_alpha()}
                                : options_.alphas;
    for (const double alpha : alphas) {
      policy_.kl_range().check(alpha, "--alpha");
      for (const Weighting& w : simplex_cover(
               objectives_.size(),
               static_cast<std::size_t>(options_.weightings))) {
        steerings_.push_back({w, alpha});
      }
    }
    generate_.max_new_tokens = options_.max_new_tokens;
    generate_.rows_at_once = 32;
    answers_.resize(steerings_.size() + 1);  // the reference is the last
  }

  Report run() {
    if (group_) {
      gather_answers(*group_, answers_, [&] { answer_own(); });
    } else {
      answer_own();
    }
    score_all();
    Report report;
    report.objectives = objectives_.names();
    for (std::size_t k = 0; k < steerings_.size(); ++k) {
      report.points.push_back(point(k));
    }
    measure(report.reference, answers_.back(), scores_.back());
    add_texts(report);
    std::int64_t tokens = 0;
    for (const Answers& answers : answers_)
      for (const std::int64_t count : answers.tokens)
        tokens += count;
    report.cost[kAnswerTokens] = static_cast<double>(tokens);
    complete_report(report);
    report.notes = automatic_notes(report);
    return report;
  }

 private:
  std::size_t rank() const {
    return group_ ? static_cast<std::size_t>(group_->rank()) : 0;
  }
  std::size_t ranks() const {
    return group_ ? static_cast<std::size_t>(group_->size()) : 1;
  }

  RowKey key(std::size_t prompt, std::int64_t sample) const {
    // The same draws for every steering: common random numbers.
    return {
        options_.seed,
        Purpose::kEvaluate,
        static_cast<std::uint32_t>(sample),
        static_cast<std::uint32_t>(prompt)};
  }

  void answer(std::size_t begin, std::size_t end) {
    std::vector<CompletionRequest> steered;
    std::vector<std::size_t> steering_of;
    std::vector<CompletionRequest> plain;
    for (std::size_t p = begin; p < end; ++p) {
      for (std::size_t k = 0; k < steerings_.size(); ++k) {
        for (std::int64_t s = 0; s < options_.samples_per_prompt; ++s) {
          steered.push_back({prompts_[p], steerings_[k], key(p, s)});
          steering_of.push_back(k);
          prompt_of_steered_.push_back(p);
        }
      }
      for (std::int64_t s = 0; s < options_.samples_per_prompt; ++s) {
        plain.push_back({prompts_[p], std::nullopt, key(p, s)});
        prompt_of_plain_.push_back(p);
      }
    }
    const auto completions = policy_.complete_with_kl(steered, generate_);
    for (std::size_t i = 0; i < completions.size(); ++i) {
      add(answers_[steering_of[i]], completions[i], prompt_of_steered_[i]);
    }
    const auto reference = policy_.complete(plain, generate_);
    for (std::size_t i = 0; i < reference.size(); ++i) {
      add(answers_.back(), reference[i], prompt_of_plain_[i]);
    }
    prompt_of_steered_.clear();
    prompt_of_plain_.clear();
    if (on_progress_) {
      const auto each = static_cast<std::int64_t>(answers_.size()) *
                        options_.samples_per_prompt;
      const auto all = static_cast<std::int64_t>(examples_.size()) * each;
      done_ += static_cast<std::int64_t>((end - begin) * ranks()) * each;
      on_progress_(std::min(done_, all), all);
    }
  }

  void add(Answers& answers, const Completion& completion, std::size_t prompt)
      const {
    if (objectives_.has_sources()) answers.ids.push_back(completion.tokens);
    answers.texts.push_back(completion.text);
    answers.finished.push_back(completion.finished);
    answers.tokens.push_back(
        static_cast<std::int64_t>(completion.tokens.size()) -
        (completion.finished ? 1 : 0));
    answers.prompts.push_back(prompt);
    double kl = 0.0;
    for (const float at_token : completion.exact_kl)
      kl += at_token;
    answers.kl.push_back(kl);
  }

  // Whole slices of the prompts.
  void answer_own() {
    const std::size_t slices =
        (examples_.size() + kPromptsAtOnce - 1) / kPromptsAtOnce;
    for (std::size_t s = slices * rank() / ranks();
         s < slices * (rank() + 1) / ranks();
         ++s) {
      const std::size_t p = s * kPromptsAtOnce;
      answer(p, std::min(examples_.size(), p + kPromptsAtOnce));
    }
  }

  // Each rank scores all answers of a steering, as one process would, then of
  // another: none waits for longer than that takes.
  void score_all() {
    const std::size_t scorers = asked_by_first_rank(objectives_) ? 1 : ranks();
    for (std::size_t first = 0; first < answers_.size(); first += scorers) {
      const std::size_t own = first + rank();
      const auto score_own = [&] {
        return rank() < scorers && own < answers_.size() ? score(answers_[own])
                                                         : RewardColumns();
      };
      std::vector<RewardColumns> some;
      if (group_) {
        some = gather_scores(*group_, score_own);
      } else {
        some.push_back(score_own());
      }
      some.resize(std::min(scorers, answers_.size() - first));
      std::ranges::move(some, std::back_inserter(scores_));
    }
  }

  RewardColumns score(const Answers& answers) const {
    RewardBatch batch;
    batch.completions = answers.texts;
    batch.token_counts = answers.tokens;
    batch.groups = answers.prompts;
    batch.completion_ids = answers.ids;
    for (const TokenIds& ids : answers.ids) {
      batch.raw_completions.push_back(
          policy_.tokenizer().decode(ids, /*skip_special=*/false));
    }
    for (const std::size_t p : answers.prompts) {
      batch.turns.push_back(prompts_[p].turns);
      batch.prompts.push_back(texts_[p]);
      batch.examples.push_back(&examples_[p]);
    }
    const Scores scores = objectives_.score(batch);
    RewardColumns columns;
    for (std::size_t i = 0; i < objectives_.size(); ++i) {
      columns.raw.push_back(column_of(scores.raw, i));
      columns.mapped.push_back(column_of(scores.mapped, i));
    }
    return columns;
  }

  // Mean over each prompt's samples, in the order of the prompts.
  std::vector<double> per_prompt(
      const std::vector<double>& values, const Answers& answers) const {
    std::vector<double> means(examples_.size(), 0.0);
    for (std::size_t i = 0; i < values.size(); ++i) {
      means[answers.prompts[i]] +=
          values[i] / static_cast<double>(options_.samples_per_prompt);
    }
    return means;
  }

  // The same where some answers have no reward (`missing: skip`): the mean of
  // the prompt's others, and for a prompt without any the mean over prompts.
  std::vector<double> rewards_per_prompt(
      const std::vector<double>& values, const Answers& answers) const {
    if (std::none_of(values.begin(), values.end(), is_missing))
      return per_prompt(values, answers);
    std::vector<double> sums(examples_.size(), 0.0);
    std::vector<double> counts(examples_.size(), 0.0);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (is_missing(values[i])) continue;
      sums[answers.prompts[i]] += values[i];
      counts[answers.prompts[i]] += 1.0;
    }
    std::vector<double> known;
    for (std::size_t p = 0; p < sums.size(); ++p)
      if (counts[p] > 0) known.push_back(sums[p] / counts[p]);
    const double middle = mean(known);
    for (std::size_t p = 0; p < sums.size(); ++p)
      sums[p] = counts[p] > 0 ? sums[p] / counts[p] : middle;
    return sums;
  }

  static bool is_missing(double value) { return std::isnan(value); }

  static double mean(const std::vector<double>& values) {
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    return values.empty() ? 0.0 : sum / static_cast<double>(values.size());
  }

  // What a point and the reference have in common.
  void measure(
      MeasuredAnswers& measured,
      const Answers& answers,
      const RewardColumns& scores) const {
    for (std::size_t i = 0; i < objectives_.size(); ++i) {
      const std::string& name = objectives_.names()[i];
      measured.per_prompt.rewards[name] =
          rewards_per_prompt(scores.mapped[i], answers);
      std::vector<double> raw = scores.raw[i];
      std::erase_if(raw, is_missing);
      measured.raw_rewards[name] = mean(raw);
    }
    std::vector<double> words;
    std::vector<double> finished;
    std::vector<std::string> sources;
    std::vector<std::string> prompts;
    for (std::size_t a = 0; a < answers.texts.size(); ++a) {
      words.push_back(static_cast<double>(count_words(answers.texts[a])));
      finished.push_back(answers.finished[a] ? 1.0 : 0.0);
      sources.push_back(shown(answers.prompts[a]));
      prompts.push_back(read(answers.prompts[a]));
    }
    measured.words = mean(words);
    measured.finished = mean(finished);
    measured.distinct = distinct_share(answers.texts, answers.prompts);
    measured.copied = copied_share(sources, answers.texts);
    if (options_.shown_field)
      measured.echoed = echoed_share(prompts, sources, answers.texts);
    measured.samples = answers.texts.size();
  }

  FrontPoint point(std::size_t k) const {
    FrontPoint result;
    result.weights = weighting_to_map(steerings_[k].w, objectives_.names());
    result.alpha = steerings_[k].alpha;
    result.beta = policy_.kl_range().mixing_amount(result.alpha);
    measure(result, answers_[k], scores_[k]);
    result.per_prompt.kl = per_prompt(answers_[k].kl, answers_[k]);
    return result;
  }

  // The words of the prompt: its special tokens would stick to them.
  std::string read(std::size_t p) const {
    return policy_.tokenizer().decode(prompts_[p].ids);
  }

  // For a dialogue, its last user's message.
  std::string shown(std::size_t p) const {
    if (options_.shown_field)
      return text_field(examples_[p], *options_.shown_field, "evaluation");
    if (prompts_[p].turns) {
      if (const auto* user = named_turn(prompts_[p].turns->messages, "user"))
        return *user;
    }
    return texts_[p];
  }

  SampleAnswer sample(const Answers& answers, std::size_t prompt) const {
    const auto found =
        std::find(answers.prompts.begin(), answers.prompts.end(), prompt);
    const auto place =
        static_cast<std::size_t>(found - answers.prompts.begin());
    return {answers.texts.at(place), {}};
  }

  void add_texts(Report& report) const {
    const std::size_t count = std::min(options_.texts, examples_.size());
    for (std::size_t p = 0; p < count; ++p) {
      SampleText text;
      text.prompt = shown(p);
      if (options_.reference_field) {
        text.reference =
            text_field(examples_[p], *options_.reference_field, "evaluation");
      }
      text.reference_policy = sample(answers_.back(), p);
      for (std::size_t k = 0; k < steerings_.size(); ++k) {
        text.answers.push_back(sample(answers_[k], p));
      }
      report.texts.push_back(std::move(text));
    }
  }

  Policy& policy_;
  const ObjectiveSet& objectives_;
  const std::vector<Example>& examples_;
  const PromptMaker& prompt_;
  const EvaluateOptions& options_;
  const OnProgress& on_progress_;
  Group* group_;  // null: alone
  std::vector<Prompt> prompts_;
  std::vector<std::string> texts_;  // of the prompts
  std::vector<Steering> steerings_;
  GenerateOptions generate_;
  std::vector<Answers> answers_;
  std::vector<RewardColumns> scores_;  // of answers_
  std::int64_t done_ = 0;
  std::vector<std::size_t> prompt_of_steered_;
  std::vector<std::size_t> prompt_of_plain_;
};

}  // namespace

Report evaluate_policy(
    Policy& policy,
    const ObjectiveSet& objectives,
    const std::vector<Example>& examples,
    const EvaluateOptions& options,
    const OnProgress& on_progress,
    Group* group) {
  std::vector<std::string> names;
  for (const auto& objective : policy.objectives()) {
    names.push_back(objective.name);
  }
  if (names != objectives.names()) {
    throw_caller_error(
        "the policy's objectives are not those of the evaluation; use the "
        "recipe that the policy was trained with");
  }
  return Evaluator(policy, objectives, examples, options, on_progress, group)
      .run();
}

std::int64_t evaluated_steerings(
    std::size_t objectives, const EvaluateOptions& options) {
  const auto cover =
      simplex_cover(objectives, static_cast<std::size_t>(options.weightings));
  const std::size_t alphas = std::max<std::size_t>(1, options.alphas.size());
  return static_cast<std::int64_t>(cover.size() * alphas) + 1;
}

std::vector<double> spread_alphas(const KlRange& range, std::int64_t count) {
  const bool single = range.alpha_min() == 0 && range.f_mix() == FMix::kSoftmdp;
  if (count < 2 || single) return {range.alpha_min()};
  const double low = range.mixing_amount(range.alpha_min());
  std::vector<double> alphas;
  for (std::int64_t k = 0; k < count; ++k) {
    const double share =
        static_cast<double>(k) / static_cast<double>(count - 1);
    alphas.push_back(
        nearest_alpha(range, range.alpha_of(low + (1 - low) * share)));
  }
  return alphas;
}

double nearest_alpha(const KlRange& range, double alpha) {
  if (range.alpha_min() == 0 && range.f_mix() == FMix::kSoftmdp) return 0;
  return std::clamp(alpha, range.alpha_min(), 1.0);
}

namespace {

void check_comparable(const Report& report, const ComparedRun& other) {
  if (other.report.objectives != report.objectives) {
    throw_caller_error(
        "{} has the objectives {}, this run has {}; compare runs of the same "
        "objectives",
        other.name,
        join(other.report.objectives, ", "),
        join(report.objectives, ", "));
  }
  const bool other_file = report.data && other.report.data &&
                          report.data->hash != other.report.data->hash;
  if (!other_file && prompt_count(report) == prompt_count(other.report)) return;
  throw_caller_error(
      "{} was measured on {} prompts that are not the {} of this run; compare "
      "runs on the same prompts",
      other.name,
      prompt_count(other.report),
      prompt_count(report));
}

}  // namespace

void add_baselines(
    Report& report,
    std::vector<ComparedRun> others,
    const CompareOptions& options) {
  for (ComparedRun& other : others) {
    check_comparable(report, other);
    report.baselines.push_back(
        {other.name,
         std::move(other.report.points),
         std::move(other.report.reference),
         std::move(other.report.policy),
         std::move(other.report.run_cost)});
  }
  complete_report(report);
  compare_methods(report, options);
  report.notes = automatic_notes(report);
}

}  // namespace moft
