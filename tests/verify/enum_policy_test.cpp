// ENUM-1 with real models: the exact answers and gradients.
#include "verify/enum_policy.h"

#include <cmath>
#include <set>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "verify/enum_text.h"
#include "verify/enum_variants.h"

namespace moft::exact {
namespace {

const Steering kSteering{Weighting({0.2, 0.5, 0.3}), 0.3};

TEST(EnumText, CompletionsAreTheAnswersAsAModelEmitsThem) {
  const EnumTask task;
  const auto completions = enum_completions(task);
  const std::set<std::vector<TokenId>> distinct(
      completions.begin(), completions.end());
  EXPECT_EQ(distinct.size(), 156U);
  const auto tokenizer = make_enum_tokenizer(false);
  for (std::size_t k = 0; k < completions.size(); ++k) {
    const auto& tokens = completions[k];
    ASSERT_LE(tokens.size(), 3U);
    EXPECT_EQ(tokens.back() == 0, task.answers()[k].size() < 3);
    EXPECT_EQ(tokenizer->decode(tokens), enum_text(task.answers()[k]));
  }
}

TEST(EnumText, WordsOfAWeightingAreSpelledInTheAlphabet) {
  const auto tokenizer = make_enum_tokenizer(true);
  // a of "a:", 0.47; then b of "b:", 1.0: digits d / 5 and d % 5 from 1 on.
  EXPECT_EQ(
      tokenizer->encode("a: 0.47; b: 1.0."),
      (std::vector<TokenId>{1, 1, 1, 1, 5, 2, 3, 0, 2, 1, 2, 1, 1}));
  EXPECT_EQ(tokenizer->prompt_end(), 0);
}

TEST(EnumText, RewardsAreTheTasks) {
  const EnumTask task;
  const auto examples = enum_examples(task);
  RewardBatch batch;
  for (const Example& example : examples) {
    for (const Sequence& answer : task.answers()) {
      batch.prompts.push_back(example.id);
      batch.completions.push_back(enum_text(answer));
      batch.token_counts.push_back(1);
      batch.examples.push_back(&example);
    }
  }
  const auto mapped = enum_objectives(task).score(batch).mapped;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto found = column_of(mapped, i);
    for (std::size_t r = 0; r < found.size(); ++r)
      EXPECT_EQ(found[r], task.problem(r / 156).rewards[i][r % 156]);
  }
}

class EnumPolicies
    : public testing::TestWithParam<std::pair<ModelFamily, EnumVariant>> {
 protected:
  EnumPolicy make() const {
    return EnumPolicy(enum_policy_options(GetParam().first, GetParam().second));
  }
};

// Along the gradient and along noise; central differences in float32.
TEST_P(EnumPolicies, GradientIsThatOfFiniteDifferences) {
  EnumPolicy policy = make();
  policy.perturb(0.5, 7);
  const Gradients gradient = policy.value_gradient({{kSteering, 1.0}});
  double square = 0.0;
  for (const auto& [name, tensor] : gradient)
    square += tensor.square().sum().item<double>();
  ASSERT_GT(square, 1e-6);
  const auto shifted = [&](double length) {
    at::NoGradGuard no_gradient;
    Conditioning& conditioning = *policy.policy().conditioning();
    for (const TrainedTensor& entry : conditioning.trained()) {
      const auto found = gradient.find(entry.name);
      if (found != gradient.end())
        entry.master.add_(found->second.to(at::kFloat), length);
    }
    conditioning.masters_changed();
    return policy.score(kSteering).value;
  };
  const double step = 0.001 / std::sqrt(square);
  const double above = shifted(step);
  const double below = shifted(-2 * step);
  EXPECT_NEAR((above - below) / (2 * step) / square, 1.0, 1e-3);
}

using enum ModelFamily;
using enum EnumVariant;

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    EnumPolicies,
    testing::Values(
        std::pair(kLlama, kFull),
        std::pair(kLlama, EnumVariant::kAttention),
        std::pair(kLlama, EnumVariant::kLogits),
        std::pair(kLlama, EnumVariant::kPattern),
        std::pair(kLlama, EnumVariant::kLora),
        std::pair(kLlama, EnumVariant::kPrompt),
        std::pair(kT5, kFull),
        std::pair(kT5, EnumVariant::kAttention),
        std::pair(kT5, EnumVariant::kLogits),
        std::pair(kT5, EnumVariant::kLora),
        std::pair(kT5, EnumVariant::kAttentionPrompt)),
    [](const auto& kind) {
      std::string name =
          family_name(kind.param.first) + "_" + variant_name(kind.param.second);
      for (char& sign : name)
        if (sign == ' ') sign = '_';
      return name;
    });

}  // namespace
}  // namespace moft::exact
