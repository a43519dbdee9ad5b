#include "cli/preflight_costs.h"

#include <fstream>
#include <sstream>
#include <string>

#include <fmt/format.h>

#include "moft/rewards/similarity.h"
#include "moft/training/memory_estimate.h"

namespace moft {
namespace {

ModelShape shape_of_model(const LoadedModel& base) {
  return base.model->info().family == "t5"
             ? shape_of(t5_config_from_json(base.config, "config.json"))
             : shape_of(llama_config_from_json(base.config, "config.json"));
}

}  // namespace

std::optional<std::int64_t> available_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::int64_t kilobytes = 0;
    if (words >> name >> kilobytes && name == "MemAvailable:")
      return kilobytes * 1024;
  }
  return std::nullopt;
}

void look_at_memory(
    Findings& findings,
    const Recipe& recipe,
    const LoadedModel& base,
    std::int64_t prompt_tokens) {
  MemoryQuestion question;
  question.shape = shape_of_model(base);
  question.conditioning = recipe.conditioning;
  question.training = recipe.training;
  question.objectives = static_cast<std::int64_t>(recipe.objectives.size());
  question.prompt_tokens = prompt_tokens;
  question.bf16 = recipe.compute.precision == Precision::kBf16;
  const std::int64_t need = estimate_memory(question).peak();
  const auto there = available_memory();
  findings.note(
      "memory",
      fmt::format(
          "about {} at the peak, by estimate{}",
          bytes_as_text(need),
          there ? fmt::format("; {} available", bytes_as_text(*there)) : ""));
  // On another device it is that device's memory that counts.
  const bool on_cpu = recipe.compute.device != DeviceChoice::kCuda;
  if (!there || !on_cpu || need <= *there) return;
  findings.warn(fmt::format(
      "the run needs about {} of memory by estimate, but {} are available; "
      "lower training.prompts_per_step, training.samples_per_prompt or "
      "training.max_new_tokens, raise training.gradient_accumulation, or steer "
      "fewer parameters",
      bytes_as_text(need),
      bytes_as_text(*there)));
}

void look_at_long_texts(
    Findings& findings,
    const Recipe& recipe,
    const std::vector<Example>& examples) {
  for (const auto& [name, objective] : recipe.objectives) {
    if (!objective.similarity) continue;
    const auto& options = *objective.similarity;
    findings.attempt([&] {
      const LongTexts found = find_long_texts(
          options.model, examples, options.field, "objective '" + name + "'");
      if (found.count == 0) return;
      findings.warn(fmt::format(
          "objective '{}': {} of {} examples have a field '{}' longer than the "
          "{} tokens that the encoder reads (the first is {}, the longest has "
          "{}); only its beginning counts: shorten the field, or take an "
          "encoder with a longer window",
          name,
          found.count,
          examples.size(),
          options.field,
          found.window,
          found.first,
          found.longest));
    });
  }
}

}  // namespace moft
