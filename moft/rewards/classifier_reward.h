// The reward kind `classifier`: what a sequence classifier says of the answer,
// alone or beside a text of the example (an NLI model: is the answer entailed
// by the post?).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moft/core/fields.h"
#include "moft/rewards/gate_options.h"
#include "moft/rewards/model_reward.h"
#include "moft/rewards/reward_kind.h"
#include "moft/rewards/reward_template.h"
#include "moft/rewards/text_classifier.h"

namespace moft {

enum class LabelValue { kProbability, kLogit, kLogOdds };
constexpr auto enum_names(LabelValue) {
  return EnumNames<LabelValue, 3>{{
      {LabelValue::kProbability, "probability"},
      {LabelValue::kLogit, "logit"},
      {LabelValue::kLogOdds, "log_odds"},
  }};
}

enum class JudgedUnit { kWhole, kSentence };
constexpr auto enum_names(JudgedUnit) {
  return EnumNames<JudgedUnit, 2>{{
      {JudgedUnit::kWhole, "whole"},
      {JudgedUnit::kSentence, "sentence"},
  }};
}

enum class Combine { kMax, kMean, kMin };
constexpr auto enum_names(Combine) {
  return EnumNames<Combine, 3>{{
      {Combine::kMax, "max"},
      {Combine::kMean, "mean"},
      {Combine::kMin, "min"},
  }};
}

// One text, or a premise and a hypothesis.
struct ClassifierOptions {
  std::string model;
  std::optional<std::string> label;
  std::optional<LabelValue> value;
  std::optional<std::string> premise;
  std::optional<std::string> hypothesis;
  std::optional<std::string> text;
  JudgedUnit unit = JudgedUnit::kWhole;
  Combine sentences = Combine::kMean;
  Combine windows = Combine::kMax;
  std::int64_t overlap = 64;
  std::optional<std::int64_t> max_tokens;
  std::optional<GateOptions> gate;

  template <class V>
  void fields(V& v) {
    v("model",
      model,
      Help{"the classifier: a Hugging Face directory "
           "(..ForSequenceClassification) with tokenizer.json"},
      Required{},
      Path{});
    v("label",
      label,
      Help{"the label whose value is the reward, by name or index; null: the "
           "only one"});
    v("value",
      value,
      Help{"probability of the label, its logit, or log(p / (1 - p)); null: "
           "the logit of an only label, else the probability"});
    v("premise",
      premise,
      Help{"first text of a pair: {prompt}, {completion} and {name} for an "
           "example's field; cut into windows where it is long"});
    v("hypothesis",
      hypothesis,
      Help{"second text of a pair, as premise; null: \"{completion}\""});
    v("text",
      text,
      Help{"one text in place of a pair; null without a premise: "
           "\"{completion}\""});
    v("unit",
      unit,
      Help{"what is judged: the whole answer, or each of its sentences"});
    v("sentences", sentences, Help{"how the values of sentences are combined"});
    v("windows",
      windows,
      Help{"how the values of a long text's windows are combined"});
    v("overlap",
      overlap,
      Help{"tokens that neighbouring windows share", "tokens"},
      at_least(0));
    v("max_tokens",
      max_tokens,
      Help{
          "longest text or pair that the model reads at once, its special "
          "tokens included; null: what the model can read",
          "tokens"},
      at_least(8));
    v("gate", gate, Help{"multiplies the reward; absent: no gate"});
  }
  // Throws CallerError for a text beside a pair, a hypothesis alone, and
  // templates that are not well-formed.
  void check(const std::string& path) const;
};

// What is judged of a row, and how its logits become one number.
struct ClassifierRules {
  RewardTemplate first;
  std::optional<RewardTemplate> second = {};
  std::size_t label = 0;
  LabelValue value = LabelValue::kLogit;
  JudgedUnit unit = JudgedUnit::kWhole;
  Combine sentences = Combine::kMean;
  Combine windows = Combine::kMax;
  WindowOptions window = {};
};

// The value of `label` among logits [labels].
double label_value(
    std::span<const double> logits,
    std::size_t label,
    LabelValue value,
    bool separate_labels);

// NaN where a value is. REQUIRES values.
double combined(std::span<const double> values, Combine how);

// What is judged of an answer; at least one text, empty for an empty answer.
std::vector<std::string> judged_units(
    const std::string& completion, JudgedUnit unit);

class ClassifierReward : public ModelReward {
 public:
  ClassifierReward(
      std::string name,
      std::shared_ptr<const TextClassifier> classifier,
      ClassifierRules rules);

 protected:
  std::vector<double> compute_chunk(const RewardBatch& batch) const override;

 private:
  std::shared_ptr<const TextClassifier> classifier_;
  ClassifierRules rules_;
};

// The label by its name, else by its index; none: the only one. CallerError,
// with the labels, for another.
std::size_t find_label(
    const ClassifierInfo& info, const std::optional<std::string>& label);

// The classifier in a directory, shared among objectives.
std::shared_ptr<const TextClassifier> shared_classifier(
    const std::string& model, RewardContext& context);

RewardKind classifier_kind();

}  // namespace moft
