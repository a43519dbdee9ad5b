// Prompts and rows of a step, part by part.
#include "moft/training/step_parts.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "moft/kernels/tensors.h"

namespace moft {
namespace {

using Prompts = std::vector<std::size_t>;

// Where each row's tokens begin among the N packed ones.
std::vector<std::int64_t> token_offsets(const Rollout& rollout) {
  std::vector<std::int64_t> offsets{0};
  for (const Generation& row : rollout.rows)
    offsets.push_back(offsets.back() + std::ssize(row.tokens));
  return offsets;
}

class PartBuilder {
 public:
  PartBuilder(const Draw& draw, const Rollout& rollout)
      : draw_(draw), rollout_(rollout), offsets_(token_offsets(rollout)) {}

  StepPart make(const std::vector<std::size_t>& rows) const {
    StepPart part;
    Indices indices;
    if (rollout_.features) {
      indices.features = std::make_shared<Features>();
      indices.features->first_layer = rollout_.features->first_layer;
    }
    Prompts prompts;
    for (const std::size_t r : rows) {
      const std::size_t p = draw_.prompt_of(r);
      if (prompts.empty() || prompts.back() != p) {
        prompts.push_back(p);
        add_prompt(p, part, indices);
      }
      add_row(r, part, indices);
    }
    part.score.features = indices.features;
    part.rows = kernels::long_tensor(indices.rows);
    part.tokens = kernels::long_tensor(indices.tokens);
    part.targets = kernels::long_tensor(indices.targets);
    part.lengths = kernels::long_tensor(indices.lengths);
    set_reference(prompts, part);
    return part;
  }

 private:
  struct Indices {
    std::shared_ptr<Features> features;
    std::vector<std::int64_t> rows, tokens, targets, lengths;
  };

  void add_prompt(std::size_t p, StepPart& part, Indices& indices) const {
    part.score.prompts.push_back(draw_.prompts[p]);
    const Coefficients& wanted = draw_.coefficients[p];
    auto& distinct = part.coefficients;
    const auto found = std::find(distinct.begin(), distinct.end(), wanted);
    part.coefficients_of.push_back(found - distinct.begin());
    if (found == distinct.end()) distinct.push_back(wanted);
    if (indices.features)
      indices.features->prompts.push_back(rollout_.features->prompts[p]);
  }

  void add_row(std::size_t r, StepPart& part, Indices& indices) const {
    const TokenIds& tokens = rollout_.rows[r].tokens;
    part.score.completions.push_back(tokens);
    part.score.prompt_of_row.push_back(std::ssize(part.score.prompts) - 1);
    indices.rows.push_back(static_cast<std::int64_t>(r));
    indices.lengths.push_back(std::ssize(tokens));
    indices.targets.insert(indices.targets.end(), tokens.begin(), tokens.end());
    for (std::int64_t t = offsets_[r]; t < offsets_[r + 1]; ++t)
      indices.tokens.push_back(t);
    if (indices.features) {
      indices.features->completions.push_back(
          rollout_.features->completions[r]);
    }
  }

  void set_reference(const Prompts& prompts, StepPart& part) const {
    part.reference_score = part.score;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      const TokenIds& plain = draw_.plain_prompts[prompts[i]];
      if (plain == part.score.prompts[i]) continue;
      part.reference_score.prompts[i] = plain;
      part.reference_score.features.reset();  // they are of another prompt
    }
  }

  const Draw& draw_;
  const Rollout& rollout_;
  std::vector<std::int64_t> offsets_;
};

// Prompts that one backward pass can hold together.
std::vector<Prompts> groups_of(
    const Draw& draw, const Prompts& prompts, bool mixes_rows) {
  if (mixes_rows) return {prompts};
  std::map<Coefficients, std::size_t> group_of;
  std::vector<Prompts> groups;
  for (const std::size_t p : prompts) {
    const auto [entry, added] =
        group_of.try_emplace(draw.coefficients[p], groups.size());
    if (added) groups.emplace_back();
    groups[entry->second].push_back(p);
  }
  return groups;
}

}  // namespace

StepPlan plan_step(
    const SteeredPolicy& policy,
    const Draw& draw,
    const TrainingOptions& options) {
  StepShape shape;
  for (std::size_t p = 0; p < draw.prompts.size(); ++p) {
    shape.prompt_tokens.push_back(std::max(
        std::ssize(draw.prompts[p]), std::ssize(draw.plain_prompts[p])));
  }
  shape.samples = draw.samples_per_prompt;
  shape.new_tokens = options.max_new_tokens;
  const StepCosts costs = step_costs(
      shape_of(*policy.base().model),
      policy.conditioning()->options(),
      options.kl_estimator);
  return {
      StepMemory(std::move(shape), costs, {options.budget_bytes()}),
      options.gradient_accumulation,
      policy.conditioning()->mixes_rows()};
}

std::vector<StepPart> split_step(
    const Draw& draw,
    const Rollout& rollout,
    const Prompts& prompts,
    const StepPlan& plan) {
  const PartBuilder builder(draw, rollout);
  std::vector<StepPart> result;
  const auto slices = slices_of(prompts.size(), plan.slices);
  const ItemRange here = plan.here.value_or(ItemRange{0, slices.size()});
  for (std::size_t i = here.first; i < here.second; ++i) {
    const auto& [begin, end] = slices.at(i);
    const Prompts slice(
        prompts.begin() + static_cast<std::ptrdiff_t>(begin),
        prompts.begin() + static_cast<std::ptrdiff_t>(end));
    for (const Prompts& group : groups_of(draw, slice, plan.mixes_rows)) {
      for (const auto& rows : plan.memory.parts_of(group))
        result.push_back(builder.make(rows));
    }
    result.back().ends_slice = true;
  }
  return result;
}

bool is_one_part(const Draw& draw, const StepPlan& plan) {
  const auto& c = draw.coefficients;
  const bool same = std::equal(c.begin() + 1, c.end(), c.begin());
  return (plan.slices == 1 || c.size() == 1) && (plan.mixes_rows || same) &&
         plan.memory.parts_of(all_prompts(draw)).size() == 1;
}

Prompts all_prompts(const Draw& draw) {
  Prompts prompts(draw.prompts.size());
  std::iota(prompts.begin(), prompts.end(), std::size_t{0});
  return prompts;
}

}  // namespace moft
