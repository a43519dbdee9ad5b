// A step's batch, cut into parts.
#include "moft/training/step_batch.h"

#include <algorithm>
#include <map>

namespace moft {

StepPart make_part(
    const StepBatch& batch, const std::vector<std::size_t>& prompts) {
  StepPart part;
  part.prompts = prompts;
  auto features = std::make_shared<Features>();
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::size_t p = prompts[i];
    part.score.prompts.push_back(batch.prompts[p]);
    const Coefficients& wanted = batch.coefficients[p];
    auto& distinct = part.coefficients;
    const auto found = std::find(distinct.begin(), distinct.end(), wanted);
    part.coefficients_of.push_back(found - distinct.begin());
    if (found == distinct.end()) distinct.push_back(wanted);
    if (batch.features) {
      features->prompts.push_back(batch.features->prompts[p]);
    }
    const std::size_t first = batch.rows_of_prompt(p);
    for (std::size_t r = first; r < batch.rows_of_prompt(p + 1); ++r) {
      const TokenIds& tokens = batch.rows[r].tokens;
      part.rows.push_back(r);
      part.score.completions.push_back(tokens);
      part.score.prompt_of_row.push_back(static_cast<std::int64_t>(i));
      part.targets.insert(part.targets.end(), tokens.begin(), tokens.end());
      part.lengths.push_back(static_cast<std::int64_t>(tokens.size()));
      if (batch.features) {
        features->completions.push_back(batch.features->completions[r]);
      }
    }
  }
  if (batch.features) {
    features->first_layer = batch.features->first_layer;
    part.score.features = std::move(features);
  }
  part.reference_score = part.score;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const TokenIds& plain = batch.plain_prompts[prompts[i]];
    if (plain == part.score.prompts[i]) continue;
    part.reference_score.prompts[i] = plain;
    part.reference_score.features.reset();  // they saw another prompt
  }
  part.score.prompt_graph = batch.prompt_graph;
  return part;
}

bool is_one_part(
    const StepBatch& batch, std::int64_t parts, bool mixes_rows) {
  const auto& c = batch.coefficients;
  const bool same = std::equal(c.begin() + 1, c.end(), c.begin());
  return (parts == 1 || c.size() == 1) && (mixes_rows || same);
}

std::vector<StepPart> split_step(
    const StepBatch& batch, std::int64_t parts, bool mixes_rows) {
  std::vector<std::vector<std::size_t>> groups(1);
  if (mixes_rows) {
    for (std::size_t p = 0; p < batch.prompts.size(); ++p) {
      groups[0].push_back(p);
    }
  } else {
    std::map<Coefficients, std::size_t> group_of;
    groups.clear();
    for (std::size_t p = 0; p < batch.prompts.size(); ++p) {
      const auto [entry, added] =
          group_of.try_emplace(batch.coefficients[p], groups.size());
      if (added) groups.emplace_back();
      groups[entry->second].push_back(p);
    }
  }
  const auto wanted = static_cast<std::size_t>(parts);
  const std::size_t size = (batch.prompts.size() + wanted - 1) / wanted;
  std::vector<StepPart> result;
  for (const auto& group : groups) {
    for (std::size_t begin = 0; begin < group.size(); begin += size) {
      const std::size_t end = std::min(group.size(), begin + size);
      using Difference = std::vector<std::size_t>::difference_type;
      result.push_back(make_part(
          batch,
          {group.begin() + static_cast<Difference>(begin),
           group.begin() + static_cast<Difference>(end)}));
    }
  }
  return result;
}

}  // namespace moft
