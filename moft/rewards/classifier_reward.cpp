// The reward kind `classifier`.
#include "moft/rewards/classifier_reward.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/data/encode_prompt.h"
#include "moft/rewards/model_files.h"
#include "moft/rewards/reward_context.h"
#include "moft/rewards/sentences.h"

namespace moft {
namespace {

constexpr const char* kWholeCompletion = "{completion}";

double log_sum_exp(std::span<const double> logits, std::size_t without) {
  double most = -INFINITY;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (i != without) most = std::max(most, logits[i]);
  double sum = 0;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (i != without) sum += std::exp(logits[i] - most);
  return most + std::log(sum);
}

ClassifierRules rules_of(
    const ClassifierOptions& options, const ClassifierInfo& info) {
  const std::size_t label = find_label(info, options.label);
  const LabelValue usual =
      info.labels.size() == 1 ? LabelValue::kLogit : LabelValue::kProbability;
  ClassifierRules rules{
      .first = RewardTemplate(
          options.premise.value_or(options.text.value_or(kWholeCompletion))),
      .label = label,
      .value = options.value.value_or(usual),
      .unit = options.unit,
      .sentences = options.sentences,
      .windows = options.windows,
      .window = {options.max_tokens.value_or(0), options.overlap}};
  if (options.premise)
    rules.second.emplace(options.hypothesis.value_or(kWholeCompletion));
  return rules;
}

void check_pair(const ClassifierOptions& options, const ClassifierInfo& info) {
  if (!options.premise || info.encoder) return;
  throw_caller_error(
      "{}: model_type is {}, which reads one text, not a pair; give `text` in "
      "place of `premise` and `hypothesis`, with both in it",
      info.place,
      info.model_type);
}

// Says how many premises take several windows, which costs a pass each.
std::vector<std::string> warn_of_windows(
    const ClassifierOptions& options, const std::vector<Example>& examples) {
  if (!options.premise) return {};
  const RewardTemplate premise(*options.premise);
  const FramedTokenizer framed = load_framed_tokenizer(options.model);
  const std::int64_t most = read_classifier_info(options.model).max_tokens;
  const std::int64_t window = std::min(options.max_tokens.value_or(most), most);
  std::int64_t count = 0;
  std::int64_t longest = 0;
  for (const Example& example : examples) {
    // What the policy is asked is not known here.
    if (premise.uses_prompt() && !example.fields.contains("prompt")) continue;
    const RewardBatch row{{""}, {""}, {0}, {&example}};
    const std::int64_t tokens = std::ssize(
        encode_completion(premise.fill(row, 0, ""), *framed.tokenizer));
    longest = std::max(longest, tokens);
    count += tokens > window ? 1 : 0;
  }
  if (count == 0) return {};
  return {fmt::format(
      "{} of {} examples have a premise longer than the {} tokens that the "
      "classifier reads at once (the longest has {}); each is read in several "
      "windows, which take as many passes",
      count,
      examples.size(),
      window,
      longest)};
}

std::shared_ptr<const Reward> make_classifier(
    const ClassifierOptions& options, RewardContext& context) {
  auto classifier = shared_classifier(options.model, context);
  check_pair(options, classifier->info());
  ClassifierRules rules = rules_of(options, classifier->info());
  return std::make_shared<ClassifierReward>(
      context.objective(), std::move(classifier), std::move(rules));
}

}  // namespace

void ClassifierOptions::check(const std::string& path) const {
  check_text_or_pair(path, text, premise, hypothesis);
  template_fields({premise, hypothesis, text});
}

std::size_t find_label(
    const ClassifierInfo& info, const std::optional<std::string>& label) {
  const auto& labels = info.labels;
  if (!label && labels.size() == 1) return 0;
  if (label) {
    const auto found = std::ranges::find(labels, *label);
    if (found != labels.end())
      return static_cast<std::size_t>(found - labels.begin());
    const auto index = parse_integer(*label);
    if (index && *index >= 0 && *index < std::ssize(labels))
      return static_cast<std::size_t>(*index);
  }
  throw_caller_error(
      "{}: {}; give one of the model's labels: {} (or its index from 0)",
      info.place,
      label ? "it has no label " + quote_text(*label)
            : fmt::format("it has {} labels and none is chosen", labels.size()),
      join(labels, ", "));
}

double label_value(
    std::span<const double> logits,
    std::size_t label,
    LabelValue value,
    bool separate_labels) {
  const double logit = logits[label];
  if (value == LabelValue::kLogit) return logit;
  const double log_odds = separate_labels || logits.size() == 1
                              ? logit
                              : logit - log_sum_exp(logits, label);
  if (value == LabelValue::kLogOdds) return log_odds;
  return log_odds < 0 ? std::exp(log_odds) / (1 + std::exp(log_odds))
                      : 1 / (1 + std::exp(-log_odds));
}

double combined(std::span<const double> values, Combine how) {
  // Comparisons would pass over it.
  if (std::ranges::any_of(values, [](double v) { return std::isnan(v); }))
    return std::numeric_limits<double>::quiet_NaN();
  if (how == Combine::kMax) return *std::ranges::max_element(values);
  if (how == Combine::kMin) return *std::ranges::min_element(values);
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

ClassifierReward::ClassifierReward(
    std::string name,
    std::shared_ptr<const TextClassifier> classifier,
    ClassifierRules rules)
    : ModelReward(std::move(name)),
      classifier_(std::move(classifier)),
      rules_(std::move(rules)) {}

std::vector<std::string> judged_units(
    const std::string& completion, JudgedUnit unit) {
  if (unit == JudgedUnit::kWhole) return {completion};
  std::vector<std::string> sentences = split_sentences(completion);
  if (sentences.empty()) sentences.push_back(completion);
  return sentences;
}

std::vector<double> ClassifierReward::compute_chunk(
    const RewardBatch& batch) const {
  WindowedTexts windows;
  std::vector<std::size_t> row_of_part;
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    for (const std::string& unit :
         judged_units(batch.completions[row], rules_.unit)) {
      JudgedText text{rules_.first.fill(batch, row, unit)};
      if (rules_.second) text.second = rules_.second->fill(batch, row, unit);
      classifier_->add_windows(text, rules_.window, windows);
      row_of_part.resize(windows.parts, row);
    }
  }
  const at::Tensor logits = classifier_->logits(windows);
  const auto labels = static_cast<std::size_t>(logits.size(1));
  std::vector<std::vector<double>> of_part(windows.parts);
  for (std::size_t i = 0; i < windows.texts.size(); ++i) {
    const double* first = logits.const_data_ptr<double>() + i * labels;
    of_part[windows.part[i]].push_back(label_value(
        {first, labels},
        rules_.label,
        rules_.value,
        classifier_->info().separate_labels));
  }
  std::vector<std::vector<double>> of_row(batch.rows());
  for (std::size_t part = 0; part < of_part.size(); ++part)
    of_row[row_of_part[part]].push_back(
        combined(of_part[part], rules_.windows));
  std::vector<double> values;
  for (const auto& parts : of_row)
    values.push_back(combined(parts, rules_.sentences));
  return values;
}

std::shared_ptr<const TextClassifier> shared_classifier(
    const std::string& model, RewardContext& context) {
  const std::string path = context.path(model).string();
  return context.shared<TextClassifier>(path, [&] {
    return std::make_shared<TextClassifier>(path, context.device());
  });
}

RewardKind classifier_kind() {
  return RewardKindOf<ClassifierOptions>{
      .name = "classifier",
      .help =
          "a sequence classifier's label for the answer, or for the answer "
          "beside a text",
      .make = make_classifier,
      .example_fields =
          [](const ClassifierOptions& o) {
            return template_fields({o.premise, o.hypothesis, o.text});
          },
      .files =
          [](const ClassifierOptions& options) {
            return model_directory_files(options.model);
          },
      .check_files =
          [](const ClassifierOptions& options) {
            const ClassifierInfo info = check_text_classifier(options.model);
            check_pair(options, info);
            find_label(info, options.label);
          },
      .warnings = warn_of_windows,
  };
}

}  // namespace moft
