// A training loop of one's own: own_loop RECIPE POLICY [KEY=VALUE ..]
//
// The stages of Algorithm 1 (moft/training/online_step.h) with two updates for
// every rollout; the trained policy is written to POLICY.
#include <cstdio>

#include <moft/moft.h>

int main(int argc, char** argv) try {
  if (argc < 3) return 2;
  const moft::RecipeSource source = moft::find_recipe(argv[1]);
  moft::Recipe recipe = moft::load_recipe(source, {argv + 3, argv + argc});
  moft::resolve_paths(recipe, source);
  const moft::Compute compute = moft::use_compute(recipe.compute);
  moft::TrainPreflight ready = moft::check_training(
      recipe, {source.place, moft::RunBegins::kFresh, compute.load});
  ready.findings.settle();
  moft::TrainingJob job(
      recipe,
      moft::load_training_models(recipe, compute.load, std::move(ready.models)),
      std::move(ready.train.examples),
      compute.load.device);

  const moft::TrainingOptions& options = recipe.training;
  const auto seed = static_cast<std::uint64_t>(options.seed);
  const auto count = static_cast<std::size_t>(options.prompts_per_step);
  moft::SteeredPolicy& policy = job.policy();
  const moft::TrainingPrompts prompts(
      policy,
      job.examples(),
      {recipe.data.max_prompt_tokens, options.max_new_tokens});
  moft::Shuffler shuffler(seed, prompts.size());
  moft::IndependentSteerings steerings(
      moft::make_weighting_sampler(recipe.weightings, policy.names(), ""),
      options,
      policy.kl_range());
  const auto optimizer =
      moft::make_optimizer(*policy.conditioning(), options.optimizer);
  moft::StepTimes times;
  for (std::int64_t step = 0; step < options.steps; ++step) {
    const moft::Draw draw = moft::make_draw(
        policy,
        prompts,
        shuffler.next(count),
        steerings.draw(step, count),
        step,
        options.samples_per_prompt);
    const moft::Rollout rollout = moft::roll_out(
        policy,
        draw,
        {seed,
         options.max_new_tokens,
         static_cast<std::int64_t>(steerings.most_distinct(count))},
        times);
    const auto rewards =
        moft::score_rewards(job.objectives(), draw, rollout, times);
    const auto ratios =
        moft::score_log_ratios(policy, draw, rollout, options, times);
    const auto advantages =
        moft::make_advantages(draw, rollout, rewards, ratios, {}, options);
    const moft::Experience all{draw, rollout, rewards, ratios, advantages};
    for (int update = 0; update < 2; ++update) {
      moft::differentiate(policy, all, moft::whole_batch(all), options, times);
      moft::apply_update(
          *optimizer,
          *policy.conditioning(),
          options.gradient_clip,
          moft::learning_rate_at(options, step));
    }
    std::printf("reward %.4f\n", advantages.reward.mean().item<double>());
  }
  moft::save_policy(policy, recipe.policy.model, argv[2], /*model_card=*/"");
} catch (const std::exception& error) {
  std::fprintf(stderr, "own_loop: %s\n", error.what());
  return 1;
}
