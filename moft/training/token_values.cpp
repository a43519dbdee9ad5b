// Values, rewards and advantages of single tokens.
#include "moft/training/token_values.h"

#include <algorithm>
#include <limits>

#include "moft/algorithms/advantages.h"
#include "moft/algorithms/gae.h"
#include "moft/algorithms/token_sums.h"

namespace moft {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// What every token's row has: [B, ..] -> [N, ..].
at::Tensor by_token(const at::Tensor& rows, const at::Tensor& lengths) {
  return at::repeat_interleave(rows, lengths, 0);
}

// Each row's value at its last token, 0 before: [B] -> [N].
at::Tensor at_the_end(const at::Tensor& rows, const at::Tensor& lengths) {
  const at::Tensor last = lengths.cumsum(0) - 1;
  return at::zeros({lengths.sum().item<std::int64_t>()}, at::kDouble)
      .index_copy(0, last, rows);
}

bool kl_in_reward(const TrainingOptions& options) {
  return options.kl_estimator != KlEstimator::kNone &&
         !has_kl_in_loss(options.kl_estimator);
}

// Rewards [N, k]; 0 in rows that are left out.
struct TokenRewards {
  at::Tensor columns;
  at::Tensor penalty;  // [N], subtracted
};

class RewardBuilder {
 public:
  RewardBuilder(
      const Experience& experience,
      const TrainingOptions& options,
      const RewardCombiner& combiner)
      : experience_(experience),
        options_(options),
        combiner_(combiner),
        lengths_(experience.rollout.lengths()),
        left_out_(experience.is_kept().logical_not()) {}

  TokenRewards make() const {
    const Draw& draw = experience_.draw;
    const at::Tensor log_ratio = experience_.ratios.tokens();
    const at::Tensor penalty =
        end(missing_eos_penalty_at(options_, draw.step) *
            experience_.rollout.truncated());
    const at::Tensor& mapped = experience_.rewards.mapped;
    TokenRewards rewards;
    std::vector<at::Tensor> columns;
    if (options_.value.target == ValueTarget::kReward) {
      const at::Tensor alpha = draw.alphas();
      const at::Tensor value =
          combiner_.combine(mapped, draw.weights(), draw.prompt_of_row()).value;
      const at::Tensor scalar = (1 - alpha) * value;
      at::Tensor column = end(scalar) - penalty;
      if (kl_in_reward(options_))
        column = column - by_token(alpha, lengths_) * log_ratio;
      columns.push_back(column);
      rewards.penalty = at::zeros_like(penalty);
    } else {
      for (std::int64_t i = 0; i < mapped.size(1); ++i)
        columns.push_back(end(mapped.select(1, i)));
      columns.push_back(log_ratio);
      rewards.penalty = penalty;
    }
    rewards.columns = at::stack(columns, 1);
    return rewards;
  }

 private:
  at::Tensor end(const at::Tensor& rows) const {
    return at_the_end(rows.masked_fill(left_out_, 0.0), lengths_);
  }

  const Experience& experience_;
  const TrainingOptions& options_;
  const RewardCombiner& combiner_;
  at::Tensor lengths_;
  at::Tensor left_out_;
};

// From the columns' advantages [N, k] to the rows' own: [N].
at::Tensor steered_advantages(
    const at::Tensor& columns,
    const Draw& draw,
    const at::Tensor& lengths,
    const TrainingOptions& options) {
  if (options.value.target == ValueTarget::kReward) return columns.select(1, 0);
  const at::Tensor alpha = by_token(draw.alphas(), lengths);
  const at::Tensor weights = by_token(draw.weights(), lengths);
  const std::int64_t m = weights.size(1);
  const at::Tensor rewards =
      (1 - alpha) * (weights * columns.narrow(1, 0, m)).sum(1);
  if (!kl_in_reward(options)) return rewards;
  return rewards - alpha * columns.select(1, m);
}

// Each row's mean over its tokens.
at::Tensor row_means(const at::Tensor& tokens, const at::Tensor& lengths) {
  return sum_packed(tokens, lengths) / lengths.clamp_min(1);
}

// Normalised over the tokens of kept rows; others 0.
void set_advantages(
    const at::Tensor& own,
    const at::Tensor& lengths,
    AdvantageNormalisation normalisation,
    Experience& experience) {
  Advantages& a = experience.advantages;
  a.token_advantage = at::zeros_like(own);
  if (a.kept.numel() == 0) return;
  const at::Tensor used =
      by_token(experience.is_kept(), lengths).nonzero().squeeze(1);
  const at::Tensor groups =
      by_token(experience.draw.prompt_of_row(), lengths).index_select(0, used);
  const at::Tensor values = own.index_select(0, used);
  const NormalisedAdvantages normalised = make_advantages(
      {values, /*baseline=*/{}, groups, /*baseline_of_group=*/false},
      normalisation);
  a.token_advantage.index_copy_(0, used, normalised.advantages);
  a.advantage = row_means(a.token_advantage, lengths);
  const at::Tensor divisor =
      at::ones_like(own).index_copy(0, used, normalised.divisor);
  a.kl_weight = experience.draw.alphas() / row_means(divisor, lengths) *
                experience.is_kept().to(at::kDouble);
}

}  // namespace

std::int64_t token_value_columns(
    const TrainingOptions& options, std::size_t objectives) {
  return options.value.target == ValueTarget::kReward
             ? 1
             : static_cast<std::int64_t>(objectives) + 1;
}

std::vector<StepPart> value_parts(
    const Draw& draw,
    const Rollout& rollout,
    const std::vector<std::size_t>& prompts,
    const StepPlan& plan,
    ValuePrompt prompt) {
  std::vector<StepPart> parts = split_step(draw, rollout, prompts, plan);
  for (StepPart& part : parts) {
    if (prompt == ValuePrompt::kPlain) part.score = part.reference_score;
    part.score.features.reset();  // the policy's
  }
  return parts;
}

at::Tensor predict_token_values(
    const ValueLearner& learner, const std::vector<StepPart>& parts) {
  std::vector<at::Tensor> values;
  std::vector<at::Tensor> places;
  for (const StepPart& part : parts) {
    values.push_back(learner.token_values(part.score));
    places.push_back(part.tokens);
  }
  const at::Tensor all = at::cat(values);
  const at::Tensor place = at::cat(places);
  return at::empty_like(all).index_copy(0, place - place.min(), all);
}

at::Tensor add_token_advantages(
    Experience& experience,
    const at::Tensor& values,
    const TrainingOptions& options,
    const RewardCombiner& combiner) {
  const at::Tensor lengths = experience.rollout.lengths();
  const TokenRewards rewards =
      RewardBuilder(experience, options, combiner).make();
  const double gamma = options.ppo.gamma;
  const double lam = options.ppo.lam;
  const TokenAdvantages columns =
      generalised_advantages(rewards.columns, values, lengths, gamma, lam);
  const at::Tensor penalty = rewards.penalty.unsqueeze(1);
  // Nothing says what is still to come of it, so lambda may not cut it off.
  const at::Tensor penalties =
      generalised_advantages(
          penalty, at::zeros_like(penalty), lengths, gamma, /*lam=*/1.0)
          .advantages.select(1, 0);
  const at::Tensor own =
      steered_advantages(
          columns.advantages, experience.draw, lengths, options) -
      penalties;
  set_advantages(own, lengths, options.advantage_normalisation, experience);
  const at::Tensor left_out =
      by_token(experience.is_kept().logical_not(), lengths).unsqueeze(1);
  return columns.returns.masked_fill(left_out, kNan);
}

double learn_token_values(
    ValueLearner& learner,
    const std::vector<StepPart>& parts,
    const TokenValues& tokens,
    double cliprange,
    double count) {
  const auto of = [](const StepPart& part, const at::Tensor& all) {
    return all.index_select(0, part.tokens);
  };
  learner.zero_gradient();
  double clipped = 0.0;
  for (const StepPart& part : parts) {
    clipped += learner.learn_tokens(
        part.score,
        {of(part, tokens.values), of(part, tokens.returns), cliprange, count});
    if (part.ends_slice) learner.end_slice();
  }
  return clipped;
}

double count_returns(
    const Draw& draw,
    const Rollout& rollout,
    const std::vector<std::size_t>& prompts,
    const at::Tensor& returns) {
  const at::Tensor by_token = (~returns.isnan()).sum(1).to(at::kDouble);  // [N]
  const at::Tensor by_prompt = sum_packed(by_token, rollout.lengths())
                                   .view({-1, draw.samples_per_prompt})
                                   .sum(1);
  double count = 0.0;
  for (const std::size_t p : prompts)
    count += by_prompt[static_cast<std::int64_t>(p)].item<double>();
  return std::max(1.0, count);
}

}  // namespace moft
