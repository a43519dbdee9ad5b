// GRPO and PPO against TRL's own code on small tensors
// (tests/reference/algorithms/trl_losses.py).
#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/baselines.h"
#include "moft/algorithms/gae.h"
#include "moft/algorithms/kl_gradient.h"
#include "moft/algorithms/policy_loss.h"
#include "moft/algorithms/rewards.h"
#include "moft/algorithms/token_weights.h"
#include "moft/algorithms/values.h"

#include "tests/algorithms/enumerated.h"

namespace moft::test {
namespace {

using nlohmann::json;

const json& reference() {
  static const json all = [] {
    std::ifstream file(
        std::string(MOFT_SOURCE_DIR) +
        "/tests/reference/algorithms/trl_losses.json");
    return json::parse(file);
  }();
  return all;
}

at::Tensor numbers(const json& list) {
  return at::tensor(list.get<std::vector<double>>(), at::kDouble);
}

at::Tensor counts(const json& list) {
  return at::tensor(list.get<std::vector<std::int64_t>>(), at::kLong);
}

LossType loss_type(const std::string& name) {
  for (const auto& [type, own] : enum_names(LossType{})) {
    if (name == own) return type;
  }
  ADD_FAILURE() << name;
  return LossType::kGrpo;
}

double masked_total(const at::Tensor& lengths, const at::Tensor& masked) {
  return static_cast<double>(
      lengths.masked_fill(masked, 0).sum().item<std::int64_t>());
}

TEST(Trl, GrpoLossesGradientsAndClipRatios) {
  const json& grpo = reference().at("grpo");
  const at::Tensor lengths = counts(grpo.at("lengths"));
  const std::int64_t rows = lengths.numel();
  for (const json& wanted : grpo.at("losses")) {
    const std::string name = wanted.dump().substr(0, 120);
    const LossType type = loss_type(wanted.at("loss_type"));
    at::Tensor masked = at::zeros({rows}, at::kBool);
    if (wanted.at("masked").get<bool>()) masked[1] = true;
    PolicyLoss terms;
    terms.log_probs = numbers(grpo.at("now")).requires_grad_();
    terms.lengths = lengths;
    terms.advantages = numbers(grpo.at("advantages"));
    terms.token_weights = token_weights(type, lengths, masked);
    terms.clip = RatioClip{0.2, wanted.at("epsilon_high").get<double>()};
    if (!wanted.at("on_policy").get<bool>())
      terms.old_log_probs = numbers(grpo.at("old"));
    const double beta = wanted.at("beta").get<double>();
    if (beta > 0.0) {
      terms.kl_weight = at::full({rows}, beta, at::kDouble);
      terms.kl = token_k3(
          terms.log_probs,
          numbers(grpo.at("reference")),
          terms.old_log_probs,
          wanted.at("corrected").get<bool>());
    }
    LossShape shape;
    shape.rows = static_cast<double>(rows);
    shape.tokens = shape.all_tokens = masked_total(lengths, masked);
    shape.longest = grpo.at("longest").get<double>();
    const at::Tensor loss = policy_loss(terms, loss_normaliser(type, shape));
    loss.backward();
    EXPECT_NEAR(loss.item<double>(), wanted.at("loss"), 1e-14) << name;
    EXPECT_LT(
        largest_difference(
            terms.log_probs.grad(), numbers(wanted.at("gradient"))),
        1e-14)
        << name;
    // TRL counts in float32.
    const ClipFigures figures = clip_figures(terms);
    EXPECT_NEAR(figures.low / figures.tokens, wanted.at("low"), 1e-7) << name;
    EXPECT_NEAR(figures.high / figures.tokens, wanted.at("high"), 1e-7);
    EXPECT_NEAR(
        (figures.low + figures.high) / figures.tokens,
        wanted.at("region"),
        1e-7);
  }
}

// TRL divides by the sample deviation + 1e-4, moft by the population's: within
// a group of n they differ by sqrt((n - 1) / n) and that 1e-4.
TEST(Trl, GrpoAdvantagesUpToTheDeviationsDefinition) {
  const json& given = reference().at("grpo").at("scale_rewards");
  const at::Tensor r =
      scalarise(matrix(given.at("rewards")), numbers(given.at("weights")));
  const at::Tensor groups =
      at::tensor(std::vector<std::int64_t>{0, 0, 0, 1, 1, 1}, at::kLong);
  const at::Tensor b = group_mean_baseline(r, groups);
  const auto wanted = [&](const char* scale) {
    return numbers(given.at("advantages").at(scale));
  };
  const auto own = [&](AdvantageNormalisation how, const at::Tensor& baseline) {
    return make_advantages({r, baseline, groups, true}, how).advantages;
  };
  EXPECT_LT(
      largest_difference(own(AdvantageNormalisation::kNone, b), wanted("none")),
      1e-15);
  const at::Tensor grouped = own(AdvantageNormalisation::kGroup, b);
  const at::Tensor deviation =
      (r - b).view({2, 3}).square().mean(1).sqrt().repeat_interleave(3, 0);
  const at::Tensor factor =
      (deviation + 1e-8) / (deviation * std::sqrt(1.5) + 1e-4);
  EXPECT_LT(largest_difference(grouped * factor, wanted("group")), 1e-14);
  // Whatever is subtracted from all samples of a prompt goes away.
  EXPECT_LT(
      largest_difference(
          own(AdvantageNormalisation::kGroup,
              leave_one_out_baseline(r, groups)),
          grouped),
      1e-6);
}

TEST(Trl, PpoAdvantagesLossesAndGradients) {
  const json& ppo = reference().at("ppo");
  const at::Tensor lengths = counts(ppo.at("lengths"));
  const auto tokens = static_cast<double>(lengths.sum().item<std::int64_t>());
  for (const json& wanted : ppo.at("cases")) {
    const at::Tensor old_values = numbers(wanted.at("values")).unsqueeze(1);
    const TokenAdvantages found = generalised_advantages(
        numbers(wanted.at("rewards")).unsqueeze(1),
        old_values,
        lengths,
        wanted.at("gamma").get<double>(),
        wanted.at("lam").get<double>());
    const at::Tensor a = found.advantages.select(1, 0);
    const at::Tensor returns = found.returns.select(1, 0);
    EXPECT_LT(
        largest_difference(a, numbers(wanted.at("raw_advantages"))), 1e-15);
    EXPECT_LT(
        largest_difference(returns, numbers(wanted.at("returns"))), 1e-15);
    // TRL whitens by the sample variance + 1e-8.
    const at::Tensor white =
        make_advantages(
            {a, at::zeros_like(a), {}}, AdvantageNormalisation::kBatch)
            .advantages;
    EXPECT_LT(
        largest_difference(
            white * std::sqrt((tokens - 1) / tokens),
            numbers(wanted.at("advantages"))),
        1e-6);

    PolicyLoss terms;
    terms.log_probs = numbers(wanted.at("now")).requires_grad_();
    terms.lengths = lengths;
    terms.token_advantages = numbers(wanted.at("advantages"));
    terms.old_log_probs = numbers(wanted.at("old"));
    terms.clip = RatioClip{0.2, 0.2};
    const at::Tensor loss = policy_loss(terms, tokens);
    loss.backward();
    EXPECT_NEAR(loss.item<double>(), wanted.at("policy_loss"), 1e-14);
    EXPECT_LT(
        largest_difference(
            terms.log_probs.grad(), numbers(wanted.at("policy_gradient"))),
        1e-14);
    const ClipFigures figures = clip_figures(terms);
    EXPECT_NEAR(
        (figures.low + figures.high) / tokens, wanted.at("clipped"), 1e-14);

    const at::Tensor predicted =
        numbers(wanted.at("predicted")).unsqueeze(1).requires_grad_();
    const at::Tensor value_loss =
        clipped_value_loss(predicted, old_values, found.returns, 0.2, tokens);
    value_loss.backward();
    EXPECT_NEAR(value_loss.item<double>(), wanted.at("value_loss"), 1e-14);
    EXPECT_LT(
        largest_difference(
            predicted.grad().select(1, 0),
            numbers(wanted.at("value_gradient"))),
        1e-14);
    EXPECT_NEAR(
        clipped_values(predicted, old_values, found.returns, 0.2) / tokens,
        wanted.at("value_clipped"),
        1e-7);
  }
}

}  // namespace
}  // namespace moft::test
