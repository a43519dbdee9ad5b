// REINFORCE on a model whose every output can be listed: expected gradients
// are exact sums, compared with the objective's own gradient.
#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/algorithms/baselines.h"
#include "moft/algorithms/kl_estimators.h"
#include "moft/algorithms/reinforce.h"
#include "moft/algorithms/rewards.h"
#include "moft/algorithms/token_sums.h"

namespace moft {
namespace {

using Rows = std::vector<std::vector<double>>;

at::Tensor matrix(const nlohmann::json& json) {
  std::vector<at::Tensor> rows;
  for (const auto& row : json) {
    rows.push_back(at::tensor(row.get<std::vector<double>>(), at::kDouble));
  }
  return at::stack(rows);
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// Every output of the model, in padded form.
class Enumerated {
 public:
  explicit Enumerated(const nlohmann::json& json)
      : json_(json),
        alpha_(json.at("alpha").get<double>()),
        theta_(matrix(json.at("theta_merged")).requires_grad_()),
        reference_(matrix(json.at("ref_logits"))),
        rewards_(matrix(json.at("R")).t().contiguous()),
        weights_(
            at::tensor(json.at("w").get<std::vector<double>>(), at::kDouble)) {
    const auto sequences =
        json.at("seqs").get<std::vector<std::vector<std::int64_t>>>();
    const auto prefixes =
        json.at("prefixes").get<std::vector<std::vector<std::int64_t>>>();
    const auto rows = static_cast<std::int64_t>(sequences.size());
    prefix_ = at::zeros({rows, 3}, at::kLong);
    token_ = at::zeros({rows, 3}, at::kLong);
    lengths_ = at::zeros({rows}, at::kLong);
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto& tokens = sequences[row];
      lengths_[row] = static_cast<std::int64_t>(tokens.size());
      for (std::size_t t = 0; t < tokens.size(); ++t) {
        const std::vector<std::int64_t> seen(
            tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(t));
        const auto found = std::find(prefixes.begin(), prefixes.end(), seen);
        const auto column = static_cast<std::int64_t>(t);
        prefix_[row][column] = found - prefixes.begin();
        token_[row][column] = tokens[t];
      }
    }
  }

  // [rows, 3]; what stands behind the end is NaN, as it must not be read.
  at::Tensor token_log_probs(const at::Tensor& logits) const {
    const at::Tensor all = at::log_softmax(logits, 1);
    const at::Tensor picked = all.index({prefix_, token_});
    const at::Tensor nan = at::full({}, NAN, picked.options());
    return at::where(length_mask(lengths_, 3), picked, nan);
  }
  at::Tensor log_probs() const {
    return sum_padded(token_log_probs(theta_), lengths_);
  }
  at::Tensor token_log_ratio() const {
    return log_ratio(token_log_probs(theta_), token_log_probs(reference_));
  }
  at::Tensor sequence_log_ratio() const {
    return sum_padded(token_log_ratio(), lengths_);
  }
  at::Tensor probabilities() const { return log_probs().detach().exp(); }
  at::Tensor scalarised() const { return scalarise(rewards_, weights_); }
  at::Tensor reward() const {
    return regularised_reward(scalarised(), sequence_log_ratio(), alpha_);
  }

  // sum_y pi(y) A(y) grad log pi(y)
  at::Tensor expected_gradient(const at::Tensor& advantages) {
    theta_.mutable_grad() = at::Tensor();
    reinforce_loss(log_probs(), probabilities() * advantages, 1.0).backward();
    return -theta_.grad();
  }
  at::Tensor expected_token_gradient(const at::Tensor& advantages) {
    theta_.mutable_grad() = at::Tensor();
    const at::Tensor weighted = probabilities().unsqueeze(1) * advantages;
    reinforce_token_loss(token_log_probs(theta_), weighted, lengths_, 1.0)
        .backward();
    return -theta_.grad();
  }
  // E |A grad log pi|^2 - |E A grad log pi|^2
  double trace_variance(const at::Tensor& advantages) {
    double second = 0.0;
    for (std::int64_t row = 0; row < lengths_.numel(); ++row) {
      theta_.mutable_grad() = at::Tensor();
      log_probs()[row].backward();
      const double square = theta_.grad().square().sum().item<double>();
      const double a = advantages[row].item<double>();
      second += probabilities()[row].item<double>() * a * a * square;
    }
    return second - exact_gradient().square().sum().item<double>();
  }

  at::Tensor exact_gradient() const {
    return matrix(json_.at("grad_exact_fd"));
  }
  at::Tensor estimator(const char* name) const {
    return matrix(json_.at("estimators").at(name).at("grad"));
  }
  double number(const char* name) const { return json_.at(name).get<double>(); }
  double alpha() const { return alpha_; }
  const at::Tensor& lengths() const { return lengths_; }

 private:
  nlohmann::json json_;
  double alpha_;
  at::Tensor theta_, reference_, rewards_, weights_;
  at::Tensor prefix_, token_, lengths_;
};

class EnumeratedModel : public testing::TestWithParam<const char*> {
 protected:
  EnumeratedModel() : model_(read().at(GetParam())) {}

  static nlohmann::json read() {
    std::ifstream file(
        std::string(MOFT_SOURCE_DIR) +
        "/tests/reference/algorithms/enumerated.json");
    return nlohmann::json::parse(file);
  }

  Enumerated model_;
};

TEST_P(EnumeratedModel, ObjectiveAndKlAreTheExactOnes) {
  const at::Tensor p = model_.probabilities();
  EXPECT_NEAR(p.sum().item<double>(), 1.0, 1e-14);
  EXPECT_NEAR(p.dot(model_.reward()).item<double>(), model_.number("J"), 1e-12);
  const at::Tensor l = model_.sequence_log_ratio();
  EXPECT_NEAR(p.dot(k1(l)).item<double>(), model_.number("KL"), 1e-12);
  // k3 is unbiased because the reference covers every output.
  EXPECT_NEAR(p.dot(k3(l)).item<double>(), model_.number("KL"), 1e-12);
  EXPECT_GE(k3(l).min().item<double>(), 0.0);
}

// CLP's update with the sequence log ratio in the reward is the gradient of
// equation 1.
TEST_P(EnumeratedModel, SequenceKlInRewardGivesTheExactGradient) {
  const at::Tensor gradient = model_.expected_gradient(model_.reward());
  EXPECT_LT(largest_difference(gradient, model_.exact_gradient()), 2e-10);
  EXPECT_LT(
      largest_difference(gradient, model_.estimator("k1_in_reward_seq")),
      1e-14);
}

TEST_P(EnumeratedModel, RewardToGoGivesTheExactGradient) {
  const at::Tensor to_go =
      suffix_sums(model_.token_log_ratio(), model_.lengths());
  const at::Tensor advantages =
      (1 - model_.alpha()) * model_.scalarised().unsqueeze(1) -
      model_.alpha() * to_go;
  const at::Tensor gradient = model_.expected_token_gradient(advantages);
  EXPECT_LT(largest_difference(gradient, model_.exact_gradient()), 2e-10);
  EXPECT_LT(
      largest_difference(gradient, model_.estimator("k1_reward_to_go")), 1e-14);
}

// The wrong choices of the science table are wrong by the known amounts.
TEST_P(EnumeratedModel, OtherKlTermsInTheRewardAreOffAsKnown) {
  const double alpha = model_.alpha();
  const at::Tensor l = model_.sequence_log_ratio();
  const at::Tensor base = (1 - alpha) * model_.scalarised();
  const at::Tensor full = at::full_like(base, model_.number("KL"));
  const std::map<const char*, at::Tensor> kl_terms = {
      {"reward_only", at::zeros_like(base)},
      {"full_KL_as_reward", full},
      {"k2_in_reward", k2(l)},
      {"k3_in_reward", k3(l)},
      {"wrong_sign", -l}};
  for (const auto& [name, term] : kl_terms) {
    const at::Tensor gradient = model_.expected_gradient(base - alpha * term);
    EXPECT_LT(largest_difference(gradient, model_.estimator(name)), 1e-13)
        << name;
    EXPECT_GT(largest_difference(gradient, model_.exact_gradient()), 1e-3)
        << name;
  }
}

TEST_P(EnumeratedModel, ConstantBaselineKeepsTheMeanAndCutsTheVariance) {
  const at::Tensor reward = model_.reward();
  const at::Tensor mean = model_.probabilities().dot(reward);
  const at::Tensor gradient = model_.expected_gradient(reward - mean);
  EXPECT_LT(largest_difference(gradient, model_.exact_gradient()), 2e-10);
  EXPECT_NEAR(
      model_.trace_variance(reward),
      model_.number("trace_var_no_baseline"),
      1e-8);
  EXPECT_NEAR(
      model_.trace_variance(reward - mean),
      model_.number("trace_var_mean_baseline"),
      1e-8);
}

// Expectation over all 15 x 15 pairs of independent samples: leave-one-out is
// unbiased, the mean of two halves the gradient.
TEST_P(EnumeratedModel, LeaveOneOutIsUnbiasedBatchMeanShrinks) {
  const at::Tensor reward = model_.reward();
  const at::Tensor p = model_.probabilities();
  const at::Tensor groups = at::zeros({2}, at::kLong);
  const std::int64_t n = reward.numel();
  at::Tensor loo = at::zeros({n}, at::kDouble);
  at::Tensor mean = at::zeros({n}, at::kDouble);
  for (std::int64_t a = 0; a < n; ++a) {
    for (std::int64_t b = 0; b < n; ++b) {
      const at::Tensor pair = at::stack({reward[a], reward[b]});
      const at::Tensor one_out = pair - leave_one_out_baseline(pair, groups);
      loo[a] += p[b] * one_out[0];
      mean[a] += p[b] * (pair - batch_mean_baseline(pair))[0];
    }
  }
  const at::Tensor exact = model_.exact_gradient();
  EXPECT_LT(largest_difference(model_.expected_gradient(loo), exact), 2e-10);
  EXPECT_LT(
      largest_difference(model_.expected_gradient(mean), exact / 2), 2e-10);
}

INSTANTIATE_TEST_SUITE_P(
    Beta,
    EnumeratedModel,
    testing::Values("beta_0", "beta_0.789"),
    [](const auto& chosen) {
      return std::string(chosen.param) == "beta_0" ? "Zero" : "Mixed";
    });

}  // namespace
}  // namespace moft
