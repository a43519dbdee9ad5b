#include "moft/training/publish.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "moft/core/text.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

std::string base_name(const ModelCard& card) {
  return fs::path(card.base_model).filename().string();
}

std::string front_matter(const ModelCard& card) {
  return fmt::format(
      "---\nlibrary_name: moft\nbase_model: {}\ntags: [reinforcement-learning, "
      "multi-objective, steerable]\n---\n\n",
      base_name(card));
}

std::string objective_table(const SteeredPolicy& policy) {
  std::string table =
      "| objective | raw reward that counts as 0 | raw reward that counts as 1 "
      "|\n|---|---|---|\n";
  for (const PolicyObjective& objective : policy.objectives()) {
    table += fmt::format(
        "| {} | {} | {} |\n",
        objective.name,
        shortest_number(objective.low),
        shortest_number(objective.high));
  }
  return table;
}

std::string figures_table(const ModelCard& card) {
  std::string table = fmt::format(
      "| figure | first step | step {} |\n|---|---|---|\n", card.steps);
  for (const auto& [name, last] : card.last_metrics) {
    const bool shown =
        name == "reward" || name == "kl" ||
        (name.starts_with("rewards/") && name.ends_with("/mean"));
    const auto first = card.first_metrics.find(name);
    if (!shown || first == card.first_metrics.end()) continue;
    table +=
        fmt::format("| {} | {:.3f} | {:.3f} |\n", name, first->second, last);
  }
  return table;
}

std::string equal_weights(const SteeredPolicy& policy) {
  const auto names = policy.names();
  return format_weighting(Weighting::uniform(names.size()), names);
}

}  // namespace

std::string model_card_text(
    const ModelCard& card, const SteeredPolicy& policy) {
  const PolicyDefinition& definition = policy.definition();
  std::string text = front_matter(card);
  text += fmt::format("# {}\n\n", card.name);
  if (!card.description.empty()) text += card.description + "\n\n";
  text += fmt::format(
      "One language-model policy for all weightings of its rewards, trained "
      "with moft (Conditional Language Policy, arXiv 2407.15762) from {}. The "
      "weighting is chosen with each request.\n\n## Objectives\n\n{}\n"
      "Ranges are affine and never clip. KL strength alpha of training: "
      "{}.\n\n",
      base_name(card),
      objective_table(policy),
      shortest_number(definition.kl_strength));
  text += fmt::format(
      "## Prompt\n\nThe policy was trained on this prompt, and at temperature "
      "{}:\n\n```\n{}\n```\n\n",
      shortest_number(definition.temperature),
      definition.prompt_template);
  text += fmt::format(
      "## How to run it\n\n```\nmoft generate . --weights {} --prompt TEXT\n"
      "moft sweep . --prompt TEXT\n```\n\n",
      equal_weights(policy));
  text += "## Training figures\n\n" + figures_table(card) + "\n";
  text +=
      "## Licence and limits\n\nThe base model's licence applies to this "
      "policy too; see the base model. A reward is a proxy: look at the texts "
      "before trusting a weighting, the corners above all.\n";
  return text;
}

double steering_effect(SteeredPolicy& policy, const Prompt& prompt) {
  const std::size_t objectives = policy.objectives().size();
  if (objectives < 2) return 1.0;
  at::NoGradGuard no_gradient;
  const auto& model = policy.model();
  const at::Device device =
      model.steerable().parameters.at(0)->device();
  // One prediction after the prompt for each corner.
  const std::vector<std::int32_t> token = {prompt.ids.back()};
  std::vector<at::Tensor> logits;
  for (std::size_t i = 0; i < objectives; ++i) {
    const Steering corner{
        Weighting::corner(objectives, i), policy.default_alpha()};
    ScoreBatch batch;
    batch.prompts = {policy.conditioned_prompt(prompt, corner)};
    batch.completions = {token};
    batch.prompt_of_row = {0};
    logits.push_back(policy.model()
                         .completion_logits(
                             batch,
                             RowSteering::per_row(
                                 {policy.coefficients_of(corner)}, {0}, device))
                         .to(at::kFloat)
                         .clone());
  }
  double difference = 0.0;
  for (std::size_t i = 1; i < objectives; ++i) {
    difference = std::max(
        difference, (logits[i] - logits[0]).abs().max().item<double>());
  }
  return difference / std::max(1e-30, logits[0].abs().max().item<double>());
}

}  // namespace moft
