// The reward kind `rouge`: ROUGE 1, 2, L and Lsum exactly as Google's
// rouge-score computes them.
//
// C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries", 2004.
// Two texts become tokens: lower case (as Python lowers), runs of a-z and 0-9;
// everything else separates. With stemming, tokens of more than three letters
// go through porter_stem. ROUGE-N counts common n-grams, each at most as often
// as either side has it; ROUGE-L takes one longest common subsequence; Lsum
// splits both texts at line feeds and, for every reference sentence, takes the
// union of its longest common subsequences with all candidate sentences, each
// token counted at most as often as either text has it.
//
// Among several longest common subsequences, the one that rouge-score's walk
// back finds is taken (left only where that is strictly longer, otherwise up);
// the union, and so Lsum, depends on it.
//
// Texts are UTF-8; malformed bytes separate. Empty texts score 0.
// Cost: the product of the token counts for L and Lsum.
// Thread safety: pure functions.
#pragma once

#include <string_view>

#include "moft/core/fields.h"
#include "moft/rewards/reward.h"
#include "moft/rewards/reward_kind.h"

namespace moft {

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

struct RougeScore {
  double precision = 0.0;  // share of the candidate that is matched
  double recall = 0.0;     // share of the reference that is matched
  double f1 = 0.0;         // 2 P R / (P + R), 0 when both are 0
};

struct RougeTextOptions {
  bool stem = false;
  // " . " ends a sentence on either side, as T5's metrics have it.
  bool t5_newlines = false;
};

RougeScore rouge(
    RougeVariant variant,
    std::string_view reference,
    std::string_view candidate,
    const RougeTextOptions& options = {});

// ROUGE-N for any n of at least 1.
RougeScore rouge_n(
    int n,
    std::string_view reference,
    std::string_view candidate,
    const RougeTextOptions& options = {});

// 100 F1 of the completion against one field of the example; an empty answer
// gets 0.
class RougeReward : public Reward {
 public:
  RougeReward(std::string name, const RougeOptions& options);

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo& memo) const override;

 private:
  RougeOptions options_;
};

RewardKind rouge_kind();

}  // namespace moft
