// The reward kind `verdict`: how sure a language model is to answer a question
// about the completion with a given word. T5s trained for entailment are used
// like this (TRUE: Honovich et al., NAACL 2022, arXiv 2204.04991).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moft/core/fields.h"
#include "moft/rewards/classifier_reward.h"

namespace moft {

// p is the probability that the answer begins with `word`, among all words or,
// with `against`, among these.
struct VerdictOptions {
  std::string model;
  std::string text;
  std::string word;
  std::vector<std::string> against;
  LabelValue value = LabelValue::kProbability;
  JudgedUnit unit = JudgedUnit::kWhole;
  Combine sentences = Combine::kMean;
  std::optional<GateOptions> gate;

  template <class V>
  void fields(V& v) {
    v("model",
      model,
      Help{"a language model that answers: a Hugging Face directory (T5, or a "
           "decoder)"},
      Required{},
      Path{});
    v("text",
      text,
      Help{"what it is asked: {completion}, {prompt} and {name} for an "
           "example's field, as in \"premise: {post} hypothesis: "
           "{completion}\""},
      Required{});
    v("word", word, Help{"the answer that is paid"}, Required{});
    v("against",
      against,
      Help{"the other answers, for a probability among these alone; empty: "
           "among all words"},
      OneOrMore{});
    v("value",
      value,
      Help{"probability p of the word, its logarithm (logit), or "
           "log(p / (1 - p))"});
    v("unit",
      unit,
      Help{"what is judged: the whole answer, or each of its sentences"});
    v("sentences", sentences, Help{"how the values of sentences are combined"});
    v("gate", gate, Help{"multiplies the reward; absent: no gate"});
  }
  // Throws CallerError for a template that is not well-formed and for a word
  // against itself.
  void check(const std::string& path) const;
};

// The value of `kind` for the first of these log-probabilities; of one alone,
// among all words.
double verdict_value(
    std::span<const double> log_probabilities, LabelValue kind);

RewardKind verdict_kind();

}  // namespace moft
