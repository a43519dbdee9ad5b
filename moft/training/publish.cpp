// Model cards, and checks of a policy before it is published.
#include "moft/training/publish.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/generation/knob_effects.h"

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

std::string objective_table(const Policy& policy) {
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

std::string equal_weights(const Policy& policy) {
  const auto names = policy.names();
  return format_weighting(Weighting::uniform(names.size()), names);
}

}  // namespace

std::string model_card_text(const ModelCard& card, const Policy& policy) {
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
      shortest_number(policy.default_alpha()));
  text += fmt::format(
      "## Prompt\n\nThe policy was trained on this {}, and at temperature "
      "{}:\n\n```\n{}\n```\n\n",
      policy.info().prompt.chat() ? "chat template" : "prompt",
      shortest_number(policy.temperature()),
      policy.info().prompt.text());
  text += fmt::format(
      "## How to run it\n\n```\nmoft generate . --weights {} --prompt TEXT\n"
      "moft sweep . --prompt TEXT\n```\n\n",
      equal_weights(policy));
  text += "## Training figures\n\n" + figures_table(card) + "\n";
  if (!card.alarm.empty()) {
    text +=
        fmt::format("**In alarm when training ended:** {}.\n\n", card.alarm);
  }
  text +=
      "## Licence and limits\n\nThe base model's licence applies to this "
      "policy too; see the base model. A reward is a proxy: look at the texts "
      "before trusting a weighting, the corners above all.\n";
  return text;
}

std::vector<std::string> steering_warnings(
    Policy& policy, const Prompt& prompt) {
  constexpr const char* kCure =
      "train for more steps, raise training.optimizer.learning_rate, or check "
      "that the rewards differ between completions";
  const KnobEffects effects = knob_effects(policy, prompt);
  std::vector<std::string> warnings;
  if (effects.weighting < kLeastSteeringEffect) {
    warnings.push_back(fmt::format(
        "THIS POLICY DOES NOT STEER: the logits of different weightings are "
        "equal; {}",
        kCure));
  }
  if (effects.alpha < kLeastSteeringEffect) {
    warnings.push_back(fmt::format(
        "THIS POLICY DOES NOT ANSWER TO --alpha: its logits at alpha {} and at "
        "1, the reference, are equal; {}",
        shortest_number(policy.kl_range().alpha_min()),
        kCure));
  }
  return warnings;
}

void require_finite_masters(const SteeredPolicy& policy) {
  at::NoGradGuard no_gradient;
  const Conditioning& conditioning = *policy.conditioning();
  std::vector<std::string> broken(1);  // the first, of each rank
  for (const TrainedTensor& entry : conditioning.trained()) {
    if (at::isfinite(entry.master).all().item<bool>()) continue;
    broken[0] = entry.name;
    break;
  }
  const Ranks& ranks = conditioning.ranks();
  if (ranks.size > 1) broken = ranks.gather(broken[0]);
  for (const std::string& name : broken) {
    if (name.empty()) continue;
    throw_world_error(
        "'{}' is not finite after the update; lower the learning rate", name);
  }
}

void require_finite_policy(SteeredPolicy& policy, const Prompt& prompt) {
  require_finite_masters(policy);
  const Steering equal{
      Weighting::uniform(policy.objectives().size()), policy.default_alpha()};
  const at::Tensor logits = policy.next_logits(prompt, equal);
  if (at::isfinite(logits).all().item<bool>()) return;
  throw_world_error(
      "the policy's logits are not finite after the update; lower the learning "
      "rate");
}

}  // namespace moft
