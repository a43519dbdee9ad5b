// The objectives: which reward each is and which range is its [0, 1].
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moft/core/fields.h"

namespace moft {

// Cosine similarity of sentence embeddings of the completion and of one field
// of the example (not of the prompt, which carries chat markup).
struct SimilarityOptions {
  std::string model;
  std::string field;

  template <class V>
  void fields(V& v) {
    v("model",
      model,
      Help{"the sentence encoder: a Hugging Face directory (BERT shape)"},
      Required{},
      Path{});
    v("field",
      field,
      Help{"the example's field that the completion is compared with"},
      Required{});
  }
};

// A factor on another reward: 0 where the raw reward of `objective` is at or
// below zero_at, 1 at or above full_at, linear between.
struct GateOptions {
  std::string objective;
  double zero_at = 0.0;
  double full_at = 1.0;

  template <class V>
  void fields(V& v) {
    v("objective",
      objective,
      Help{"the objective whose raw reward opens the gate; it has no gate "
           "itself"},
      Required{});
    v("zero_at", zero_at, Help{"raw reward at or below which the gate is 0"});
    v("full_at", full_at, Help{"raw reward at or above which the gate is 1"});
  }
  void check(const std::string& path) const;
};

enum class LengthUnit { kWords, kTokens };
constexpr auto enum_names(LengthUnit) {
  return EnumNames<LengthUnit, 2>{{
      {LengthUnit::kWords, "words"},
      {LengthUnit::kTokens, "tokens"},
  }};
}

// Piecewise linear in the length: 1 at full_at and beyond, 0 at zero_at and
// beyond. full_at below zero_at rewards short answers, above it long ones. An
// empty answer gets 0 either way.
struct LengthOptions {
  LengthUnit unit = LengthUnit::kWords;
  double full_at = 0.0;
  double zero_at = 0.0;
  std::optional<GateOptions> gate;

  template <class V>
  void fields(V& v) {
    v("unit", unit, Help{"what is counted"});
    v("full_at",
      full_at,
      Help{
          "length that gets 1, and so does every length on the far side of it",
          "words or tokens"},
      at_least(0));
    v("zero_at",
      zero_at,
      Help{
          "length that gets 0, and so does every length on the far side of "
          "it; different from full_at",
          "words or tokens"},
      at_least(0));
    v("gate", gate, Help{"multiplies the reward; absent: no gate"});
  }
  void check(const std::string& path) const;
};

// 1 where the pattern (PCRE2, UTF-8) is found in the completion, else 0.
struct RegexOptions {
  std::string pattern;
  bool ignore_case = false;
  bool invert = false;

  template <class V>
  void fields(V& v) {
    v("pattern",
      pattern,
      Help{"the regular expression looked for, in PCRE2's syntax"},
      Required{});
    v("ignore_case", ignore_case, Help{"letters match in either case"});
    v("invert", invert, Help{"1 where the pattern is not found"});
  }
};

// The ROUGE variants: unigrams, bigrams, longest common subsequence of the
// whole texts, and of their sentences.
enum class RougeVariant { kOne, kTwo, kL, kLsum };
constexpr auto enum_names(RougeVariant) {
  return EnumNames<RougeVariant, 4>{{
      {RougeVariant::kOne, "rouge1"},
      {RougeVariant::kTwo, "rouge2"},
      {RougeVariant::kL, "rougeL"},
      {RougeVariant::kLsum, "rougeLsum"},
  }};
}

// 100 F1 of the completion against a reference text, as Google's rouge-score.
struct RougeOptions {
  RougeVariant variant = RougeVariant::kLsum;
  std::string field;
  bool stem = false;
  bool t5_newlines = false;

  template <class V>
  void fields(V& v) {
    v("variant",
      variant,
      Help{"rouge1, rouge2: words, pairs of words; rougeL: the longest common "
           "subsequence; rougeLsum: that of every sentence, sentences being "
           "lines"});
    v("field",
      field,
      Help{"the example's field that holds the reference text"},
      Required{});
    v("stem", stem, Help{"words of over three letters are stemmed (Porter)"});
    v("t5_newlines",
      t5_newlines,
      Help{"rougeLsum: ' . ' ends a sentence too, as in T5's metrics"});
  }
};

// Exactly one of the kinds is given.
struct ObjectiveOptions {
  std::optional<SimilarityOptions> similarity;
  std::optional<LengthOptions> length;
  std::optional<RegexOptions> regex;
  std::optional<RougeOptions> rouge;
  std::vector<double> range = {0.0, 1.0};

  template <class V>
  void fields(V& v) {
    v("similarity",
      similarity,
      Help{"cosine similarity of embeddings of the completion and a field"});
    v("length",
      length,
      Help{"piecewise linear in the completion's length; empty answers get 0"});
    v("regex", regex, Help{"whether a regular expression is found"});
    v("rouge",
      rouge,
      Help{"100 times ROUGE F1 of the completion against a field"});
    v("range",
      range,
      Help{
          "[low, high]: the raw rewards that count as 0 and 1; affine, never "
          "clipped",
          "raw reward"},
      Count{2});
  }
  void check(const std::string& path) const;
};

// By name, so in alphabetical order: the order of the objectives everywhere.
using Objectives = std::map<std::string, ObjectiveOptions>;

// What concerns several objectives: there is at least one, names are made of
// letters, digits, '_' and '-', and each gate names another, ungated
// objective. `path` is "objectives". Throws CallerError.
void check_objectives(const Objectives& objectives, const std::string& path);

}  // namespace moft
