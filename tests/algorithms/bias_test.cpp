// The expected gradients of GRPO and PPO, summed over every output of the
// enumerated model, against the exact gradient of (1 - alpha) w.R - alpha KL:
// which are equal, and the numbers of docs/methods/{grpo,ppo}.md for the rest.
#include <cmath>

#include <gtest/gtest.h>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/baselines.h"
#include "moft/algorithms/gae.h"
#include "moft/algorithms/kl_gradient.h"
#include "moft/algorithms/policy_loss.h"

#include "tests/algorithms/enumerated.h"

namespace moft::test {
namespace {

double cosine(const at::Tensor& a, const at::Tensor& b) {
  return ((a * b).sum() / (a.norm() * b.norm())).item<double>();
}

// The 15 outputs packed row after row, N tokens. Values are of prefixes.
class Bias : public testing::Test {
 protected:
  Bias()
      : mask_(length_mask(model_.lengths(), 3)),
        prefixes_(packed(model_.prefix())),
        exact_(model_.exact_gradient()) {}

  at::Tensor packed(const at::Tensor& padded) const {
    return padded.masked_select(mask_);
  }
  at::Tensor of_tokens(const at::Tensor& rows) const {
    return rows.repeat_interleave(model_.lengths(), 0);
  }
  at::Tensor chances() const { return of_tokens(model_.probabilities()); }

  // PPO's rewards of tokens: the log ratio's, and w.R at the end.
  at::Tensor token_rewards() const {
    const at::Tensor last = model_.lengths().cumsum(0) - 1;
    return (-model_.alpha() * packed(model_.token_log_ratio()))
        .index_add(0, last, (1 - model_.alpha()) * model_.scalarised());
  }

  // What is to come after each prefix under the policy, exactly.
  at::Tensor exact_values() const {
    const at::Tensor p =
        packed(model_.token_log_probs(model_.theta())).detach().exp();
    const at::Tensor rewards = token_rewards();
    at::Tensor values = at::zeros({model_.theta().size(0)}, at::kDouble);
    std::int64_t end = 0;
    for (std::int64_t row = 0; row < model_.lengths().numel(); ++row) {
      const std::int64_t begin = end;
      end += model_.lengths()[row].item<std::int64_t>();
      double chance = 1.0;  // of the row's rest
      double to_come = 0.0;
      for (std::int64_t t = end; t-- > begin;) {
        chance *= p[t].item<double>();
        to_come += rewards[t].item<double>();
        values[prefixes_[t]] += chance * to_come;
      }
    }
    return values;
  }

  at::Tensor constant(double value) const {
    return at::full({model_.theta().size(0)}, value, at::kDouble);
  }

  // [N], GAE's with these values of prefixes.
  at::Tensor advantages(
      const at::Tensor& values, double gamma, double lam) const {
    return generalised_advantages(
               token_rewards().unsqueeze(1),
               values.index_select(0, prefixes_).unsqueeze(1),
               model_.lengths(),
               gamma,
               lam)
        .advantages.select(1, 0);
  }

  // The gradient of the loss on policy; `weighted` [N] holds the chances.
  at::Tensor gradient(const at::Tensor& weighted) const {
    PolicyLoss terms;
    terms.log_probs = packed(model_.token_log_probs(model_.theta()));
    terms.lengths = model_.lengths();
    terms.token_advantages = weighted;
    terms.clip = RatioClip{};
    model_.theta().mutable_grad() = at::Tensor();
    policy_loss(terms, 1.0).backward();
    return -model_.theta().grad();
  }

  // All ways to draw n outputs, [15^n, n], and the chance of each.
  struct Batches {
    at::Tensor rows;
    at::Tensor chances;
    at::Tensor tokens;  // of all of a batch's outputs
  };
  Batches batches(std::int64_t n) const {
    const std::int64_t outputs = model_.lengths().numel();
    const std::int64_t count = std::llround(std::pow(outputs, n));
    at::Tensor left = at::arange(count, at::kLong);
    std::vector<at::Tensor> columns;
    for (std::int64_t i = 0; i < n; ++i) {
      columns.push_back(left.remainder(outputs));
      left = left.div(outputs, "floor");
    }
    const at::Tensor rows = at::stack(columns, 1);
    const auto of = [&](const at::Tensor& values) {
      return values.index_select(0, rows.view({-1})).view({count, n});
    };
    return {
        rows, of(model_.probabilities()).prod(1), of(model_.lengths()).sum(1)};
  }
  // Terms of each batch's rows [15^n, n], summed by output.
  at::Tensor by_output(const Batches& all, const at::Tensor& terms) const {
    return at::zeros_like(model_.probabilities())
        .index_add(
            0,
            all.rows.view({-1}),
            (all.chances.unsqueeze(1) * terms).reshape({-1}));
  }
  // GRPO's advantages of each batch's rows under leave_one_out.
  at::Tensor group_advantages(
      const Batches& all, AdvantageNormalisation normalisation) const {
    const at::Tensor rewards =
        model_.reward().index_select(0, all.rows.view({-1}));
    const at::Tensor groups = at::arange(all.rows.size(0), at::kLong)
                                  .repeat_interleave(all.rows.size(1));
    const at::Tensor baseline = leave_one_out_baseline(rewards, groups);
    return make_advantages({rewards, baseline, groups, true}, normalisation)
        .advantages.view(all.rows.sizes());
  }

  Enumerated model_ = read_enumerated("beta_0");
  at::Tensor mask_;
  at::Tensor prefixes_;  // [N], what each token follows
  at::Tensor exact_;
};

// V before the first token is the regularised value itself.
TEST_F(Bias, TheExactValueOfThePromptIsTheExpectedReward) {
  const double value = exact_values()[prefixes_[0]].item<double>();
  EXPECT_NEAR(
      value, model_.probabilities().dot(model_.reward()).item<double>(), 1e-14);
}

// V under the row's weighting: no bias, whatever lam.
TEST_F(Bias, GaeIsExactForValuesThatAreRight) {
  for (const double lam : {0.0, 0.5, 0.95, 1.0}) {
    const at::Tensor a = advantages(exact_values(), 1.0, lam);
    EXPECT_LT(largest_difference(gradient(chances() * a), exact_), 2e-10)
        << lam;
  }
}

// V' = V + e: A' = A - e_t + (1 - lam) sum_{u > t} lam^(u - t - 1) e_u, of
// which e_t is a baseline.
TEST_F(Bias, GaeOfValuesThatAreOffIsOffByTheirErrorsTimesOneMinusLambda) {
  const at::Tensor exact = exact_values();
  const auto found = [&](const at::Tensor& values, double lam) {
    const at::Tensor e = (values - exact).index_select(0, prefixes_);
    at::Tensor later = at::zeros_like(e);
    std::int64_t end = 0;
    for (std::int64_t row = 0; row < model_.lengths().numel(); ++row) {
      const std::int64_t begin = end;
      end += model_.lengths()[row].item<std::int64_t>();
      for (std::int64_t t = begin; t < end; ++t)
        for (std::int64_t u = t + 1; u < end; ++u)
          later[t] += (1 - lam) * std::pow(lam, u - t - 1) * e[u];
    }
    const at::Tensor a = advantages(values, 1.0, lam);
    const at::Tensor g = gradient(chances() * a);
    EXPECT_LT(
        largest_difference(g, exact_ + gradient(chances() * later)), 2e-10);
    return cosine(g, exact_);
  };
  // docs/methods/ppo.md has these numbers.
  EXPECT_NEAR(found(constant(0.0), 0.95), 0.999520, 1e-6);
  EXPECT_NEAR(found(constant(0.5), 0.95), 0.999865, 1e-6);
  EXPECT_NEAR(found(exact + 0.1, 0.95), 0.999979, 1e-6);
  EXPECT_NEAR(found(constant(0.0), 0.5), 0.973947, 1e-6);
  EXPECT_NEAR(found(constant(0.5), 0.5), 0.980171, 1e-6);
  EXPECT_NEAR(found(exact + 0.1, 0.5), 0.997882, 1e-6);
  for (const double off : {0.0, 0.5})
    EXPECT_NEAR(found(constant(off), 1.0), 1.0, 1e-12);
}

// With lam 1 the values are a baseline, so the bias is gamma's alone.
TEST_F(Bias, OfGammaIsTheSameForAllValues) {
  const at::Tensor wanted =
      gradient(chances() * advantages(constant(0.0), 0.9, 1.0));
  EXPECT_NEAR(cosine(wanted, exact_), 0.998230, 1e-6);
  EXPECT_NEAR(largest_difference(wanted, exact_), 0.010367, 1e-6);
  for (const at::Tensor& values : {constant(0.5), exact_values()}) {
    const at::Tensor a = advantages(values, 0.9, 1.0);
    EXPECT_LT(largest_difference(gradient(chances() * a), wanted), 1e-15);
  }
}

// bnpo and dapo, and PPO: every batch is divided by its own tokens.
TEST_F(Bias, OfAMeanOverTokensFallsWithTheBatch) {
  struct Row {
    std::int64_t samples;
    double left_out, exact_values, no_values;
  };
  for (const Row& row :
       {Row{2, 0.994447, 0.993878, 0.987648},
        Row{4, 0.998425, 0.998464, 0.996200}}) {
    const Batches all = batches(row.samples);
    const at::Tensor share =
        all.tokens.to(at::kDouble).reciprocal().unsqueeze(1);
    const at::Tensor grpo =
        group_advantages(all, AdvantageNormalisation::kNone) * share;
    EXPECT_NEAR(
        cosine(gradient(of_tokens(by_output(all, grpo))), exact_),
        row.left_out,
        1e-6);
    const at::Tensor weight =
        of_tokens(by_output(all, share.expand(all.rows.sizes())));
    const auto ppo = [&](const at::Tensor& values) {
      const at::Tensor a = advantages(values, 1.0, 1.0);
      return cosine(gradient(weight * a), exact_);
    };
    EXPECT_NEAR(ppo(exact_values()), row.exact_values, 1e-6);
    EXPECT_NEAR(ppo(constant(0.0)), row.no_values, 1e-6);
  }
}

TEST_F(Bias, OfTheGroupsDeviationFallsWithTheGroup) {
  for (const auto& [samples, wanted] :
       {std::pair(2, 0.964984), std::pair(4, 0.996031)}) {
    const Batches all = batches(samples);
    const at::Tensor a = group_advantages(all, AdvantageNormalisation::kGroup);
    EXPECT_NEAR(
        cosine(gradient(of_tokens(by_output(all, a))), exact_), wanted, 1e-6);
  }
}

// Rewards without KL, and k3 in the loss.
TEST_F(Bias, OfK3InTheLoss) {
  const auto found = [&](bool corrected) {
    PolicyLoss terms;
    terms.log_probs = packed(model_.token_log_probs(model_.theta()));
    terms.lengths = model_.lengths();
    const at::Tensor p = model_.probabilities();
    terms.advantages = p * (1 - model_.alpha()) * model_.scalarised();
    terms.kl_weight = p * model_.alpha();
    terms.clip = RatioClip{};
    terms.kl = token_k3(
        terms.log_probs,
        packed(model_.token_log_probs(model_.reference())),
        at::Tensor(),
        corrected);
    model_.theta().mutable_grad() = at::Tensor();
    policy_loss(terms, 1.0).backward();
    return -model_.theta().grad();
  };
  EXPECT_NEAR(cosine(found(true), exact_), 0.965805, 1e-6);
  EXPECT_NEAR(largest_difference(found(true), exact_), 0.028316, 1e-6);
  EXPECT_NEAR(cosine(found(false), exact_), 0.973246, 1e-6);
  EXPECT_NEAR(largest_difference(found(false), exact_), 0.019095, 1e-6);
}

// The second update of a step, after one of length .3 along the gradient.
TEST_F(Bias, OfASecondUpdateIsTheClips) {
  const at::Tensor a = advantages(exact_values(), 1.0, 1.0);
  const at::Tensor p = chances();
  const at::Tensor old =
      packed(model_.token_log_probs(model_.theta())).detach();
  const at::Tensor first = gradient(p * a);
  const at::Tensor moved =
      (model_.theta() + 0.3 * first / first.norm()).detach().requires_grad_();
  const auto gradient_there = [&](const at::Tensor& loss) {
    moved.mutable_grad() = at::Tensor();
    loss.backward();
    return -moved.grad();
  };
  const auto log_probs = [&] { return packed(model_.token_log_probs(moved)); };
  // sum_y pi(y) ((1 - alpha) w.R - alpha log ratio)
  const at::Tensor rows =
      sum_padded(model_.token_log_probs(moved), model_.lengths());
  const at::Tensor reference =
      sum_padded(model_.token_log_probs(model_.reference()), model_.lengths());
  const at::Tensor exact = gradient_there(
      -(rows.exp() * ((1 - model_.alpha()) * model_.scalarised() -
                      model_.alpha() * (rows - reference)))
           .sum());
  const auto clipped = [&](double epsilon) {
    PolicyLoss terms;
    terms.log_probs = log_probs();
    terms.old_log_probs = old;
    terms.lengths = model_.lengths();
    terms.token_advantages = p * a;
    terms.clip = RatioClip{epsilon, epsilon};
    return gradient_there(policy_loss(terms, 1.0));
  };
  const at::Tensor ratio = (log_probs().detach() - old).exp();
  const at::Tensor outside = ratio.gt(1.2).logical_and(a.gt(0)).logical_or(
      ratio.lt(0.8).logical_and(a.lt(0)));
  const auto by_hand = [&](const at::Tensor& kept) {
    return gradient_there(-(p * a * ratio * kept * log_probs()).sum());
  };
  EXPECT_LT(
      largest_difference(clipped(0.2), by_hand(outside.logical_not())), 1e-15);
  EXPECT_LT(
      largest_difference(clipped(1e9), by_hand(at::ones_like(ratio))), 1e-15);
  // docs/methods/ppo.md has these numbers.
  EXPECT_NEAR(
      (p * outside).sum().item<double>() / p.sum().item<double>(),
      0.106067,
      1e-6);
  EXPECT_NEAR(cosine(clipped(0.2), exact), 0.811591, 1e-6);
  EXPECT_NEAR(cosine(clipped(1e9), exact), 0.999779, 1e-6);
}

}  // namespace
}  // namespace moft::test
