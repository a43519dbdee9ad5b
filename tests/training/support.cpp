#include "tests/training/support.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "moft/generation/policy_directory.h"
#include "moft/rewards/make_objectives.h"
#include "moft/rewards/regex_reward.h"
#include "moft/training/online_step.h"

#include "tests/support/tiny_model.h"

namespace moft::test {

namespace fs = std::filesystem;

Scratch::Scratch() {
  std::string pattern =
      (fs::temp_directory_path() / "moft-training-XXXXXX").string();
  path_ = ::mkdtemp(pattern.data());
}

Scratch::~Scratch() {
  fs::remove_all(path_);
}

TinyRun tiny_run() {
  TinyRun run;
  run.training.steps = 4;
  run.training.max_new_tokens = 6;
  run.training.optimizer.learning_rate = 0.02;
  run.training.guards.kl_ceiling.reset();
  run.training.guards.distinct_floor.reset();
  return run;
}

TinyTraining::TinyTraining(const fs::path& folder, const TinyRun& run)
    : base(folder / "base") {
  if (!fs::exists(base)) write_tiny_model(base);
  LoadOptions load;
  load.device = run.device;
  load.storage = run.storage;
  LoadedModel loaded = load_language_model(base, load);
  auto tokenizer = load_base_tokenizer(base, loaded);
  if (run.watch != nullptr) {
    loaded.model =
        std::make_unique<WatchedModel>(std::move(loaded.model), *run.watch);
  }
  PolicyDefinition definition;
  definition.objectives = {{"a", 0.0, 1.0}, {"b", 0.0, 1.0}};
  definition.conditioning.steered_set = run.steered_set;
  definition.conditioning.lora.rank = 2;
  definition.conditioning.lora.layers = run.lora_layers;
  if (run.change_conditioning) {
    run.change_conditioning(definition.conditioning);
  }
  definition.kl_strength = run.training.kl_strength;
  definition.prompt_template = "{word} is ";
  policy = std::make_unique<SteeredPolicy>(
      std::move(loaded),
      std::move(tokenizer),
      definition,
      1,
      sharing_ranks(definition.conditioning, run.training, run.group));
  Objectives options = run.objectives;
  for (const std::string name : {"a", "b"}) {
    if (!run.objectives.empty()) break;
    const auto pattern = run.patterns.find(name);
    options[name] = {
        "regex",
        RegexOptions{
            .pattern = pattern == run.patterns.end() ? name : pattern->second}};
  }
  objectives = std::make_unique<ObjectiveSet>(make_objectives(options, {}));
  for (const std::string word :
       {"one", "two", "three", "four", "five", "six", "seven", "eight"}) {
    Example example;
    example.id = word;
    example.fields["word"] = word;
    example.where = word;
    examples.push_back(std::move(example));
  }
  TrainerInputs inputs;
  inputs.policy = policy.get();
  inputs.objectives = objectives.get();
  inputs.examples = &examples;
  inputs.group = run.group;
  if (run.training.has_value_network())
    inputs.value_model = load_language_model(base, load).model;
  trainer = std::make_unique<OnlineTrainer>(
      inputs,
      run.training,
      make_weighting_sampler(run.weightings, {"a", "b"}, "weightings"));
}

Experience experience_of(
    const TinyTraining& tiny,
    const TrainingOptions& options,
    const std::vector<std::size_t>& chosen,
    std::int64_t step) {
  StepTimes times;
  IndependentSteerings sampler(
      make_weighting_sampler({}, {"a", "b"}, "weightings"),
      options,
      tiny.policy->kl_range());
  Draw draw = make_draw(
      *tiny.policy,
      tiny.trainer->prompts(),
      chosen,
      sampler.draw(step, chosen.size()),
      step,
      /*samples_per_prompt=*/4);
  RolloutOptions rollout_options;
  rollout_options.max_new_tokens = options.max_new_tokens;
  Rollout rollout = roll_out(*tiny.policy, draw, rollout_options, times);
  Scores rewards = score_rewards(*tiny.objectives, draw, rollout, times);
  LogRatios ratios =
      score_log_ratios(*tiny.policy, draw, rollout, options, times);
  Advantages advantages =
      make_advantages(draw, rollout, rewards, ratios, {}, options);
  return {
      std::move(draw),
      std::move(rollout),
      std::move(rewards),
      std::move(ratios),
      std::move(advantages)};
}

std::string read_all(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::map<std::string, at::Tensor> masters_of(const SteeredPolicy& policy) {
  std::map<std::string, at::Tensor> masters;
  for (const auto& [name, tensor] : policy.conditioning()->tensors())
    masters[name] = tensor.clone();
  return masters;
}

}  // namespace moft::test
