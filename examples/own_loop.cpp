// A training loop of one's own: own_loop RECIPE POLICY [KEY=VALUE ..]
//
// Trains what the recipe says for its number of steps, prints the reward, and
// writes the policy to POLICY.
#include <cstdio>

#include <moft/moft.h>

int main(int argc, char** argv) try {
  if (argc < 3) return 2;
  const moft::RecipeSource source = moft::find_recipe(argv[1]);
  moft::Recipe recipe = moft::load_recipe(source, {argv + 3, argv + argc});
  moft::resolve_paths(recipe, source);
  const moft::Compute compute = moft::use_compute(recipe.compute);
  moft::TrainPreflight ready = moft::check_training(recipe, {source.place});
  ready.findings.settle();
  moft::TrainingJob job(
      recipe,
      moft::load_training_models(recipe, compute.load),
      std::move(ready.train.examples),
      compute.load.device);
  for (std::int64_t step = 0; step < recipe.training.steps; ++step) {
    const moft::StepResult result = job.trainer().step();
    std::printf(
        "step %d: reward %.4f\n",
        static_cast<int>(result.step),
        result.metrics.at("reward"));
  }
  moft::save_policy(job.policy(), recipe.policy.model, argv[2], "");
} catch (const std::exception& error) {
  std::fprintf(stderr, "own_loop: %s\n", error.what());
  return 1;
}
