// Numbers per row of a step's data.
#include "moft/training/experience.h"

namespace moft {

Draw Draw::slice(std::size_t begin, std::size_t end) const {
  const auto cut = [&]<typename Value>(const std::vector<Value>& all) {
    if (all.empty()) return all;
    return std::vector<Value>(
        all.begin() + static_cast<std::ptrdiff_t>(begin),
        all.begin() + static_cast<std::ptrdiff_t>(end));
  };
  Draw draw;
  draw.step = step;
  draw.samples_per_prompt = samples_per_prompt;
  draw.first_prompt = first_prompt + begin;
  draw.examples = cut(examples);
  draw.prompts = cut(prompts);
  draw.plain_prompts = cut(plain_prompts);
  draw.prompt_texts = cut(prompt_texts);
  draw.turns = cut(turns);
  draw.steerings = cut(steerings);
  draw.coefficients = cut(coefficients);
  return draw;
}

at::Tensor Draw::weights() const {
  std::vector<at::Tensor> weights;
  for (const Steering& steering : steerings)
    weights.push_back(at::tensor(steering.w.values(), at::kDouble));
  return at::stack(weights).repeat_interleave(samples_per_prompt, 0);
}

at::Tensor Draw::alphas() const {
  std::vector<double> alphas;
  for (const Steering& steering : steerings)
    alphas.push_back(steering.alpha);
  return at::tensor(alphas, at::kDouble)
      .repeat_interleave(samples_per_prompt, 0);
}

at::Tensor Draw::prompt_of_row() const {
  return at::arange(std::ssize(prompts), at::kLong)
      .repeat_interleave(samples_per_prompt, 0);
}

at::Tensor Rollout::lengths() const {
  std::vector<std::int64_t> lengths;
  for (const Generation& row : rows)
    lengths.push_back(std::ssize(row.tokens));
  return at::tensor(lengths, at::kLong);
}

at::Tensor Rollout::truncated() const {
  std::vector<double> truncated;
  for (const Generation& row : rows)
    truncated.push_back(row.finished ? 0.0 : 1.0);
  return at::tensor(truncated, at::kDouble);
}

at::Tensor Experience::is_kept() const {
  return at::zeros({std::ssize(rollout.rows)}, at::kBool)
      .index_fill(0, advantages.kept, at::Scalar(true));
}

}  // namespace moft
