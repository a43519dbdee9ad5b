// A reward kind of one's own, used from a recipe: own_reward RECIPE ANSWER
//
// The recipe says `objectives: {keen: {exclamations: {most: 3}}}`; every
// example of its training data is scored as if ANSWER had been the answer.
#include <algorithm>
#include <cstdio>

#include <moft/moft.h>

namespace {

// What a recipe may say below `exclamations:`.
struct ExclamationOptions {
  std::int64_t most = 3;

  template <class V>
  void fields(V& v) {
    v("most",
      most,
      moft::Help{"number of exclamation marks that get the full reward"},
      moft::at_least(1));
  }
};

class Exclamations : public moft::Reward {
 public:
  Exclamations(std::string name, const ExclamationOptions& options)
      : Reward(std::move(name)), most_(static_cast<double>(options.most)) {}

 protected:
  std::vector<double> compute(
      const moft::RewardBatch& batch, moft::RewardMemo&) const override {
    std::vector<double> values;
    for (const std::string& answer : batch.completions) {
      const auto marks = std::count(answer.begin(), answer.end(), '!');
      values.push_back(std::min(1.0, static_cast<double>(marks) / most_));
    }
    return values;
  }

 private:
  double most_;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  moft::register_reward_kind(moft::RewardKindOf<ExclamationOptions>{
      .name = "exclamations",
      .help = "number of exclamation marks",
      .make =
          [](const ExclamationOptions& options, moft::RewardContext& context) {
            return std::make_shared<Exclamations>(context.objective(), options);
          },
  });
  const moft::RecipeSource source = moft::find_recipe(argv[1]);
  moft::Recipe recipe = moft::load_recipe(source, {});
  moft::resolve_paths(recipe, source);
  const auto examples = moft::read_split(recipe.data, moft::Split::kTrain);
  const auto objectives = moft::make_objectives(recipe.objectives, ".");

  moft::RewardBatch batch;
  for (const moft::Example& example : examples) {
    batch.prompts.push_back(example.where);
    batch.completions.push_back(argv[2]);
    batch.token_counts.push_back(1);
    batch.examples.push_back(&example);
  }
  for (const moft::Objective& objective : objectives.objectives())
    std::printf(
        "%s: %g\n", objective.name.c_str(), objective.reward->score(batch)[0]);
} catch (const std::exception& error) {
  std::fprintf(stderr, "own_reward: %s\n", error.what());
  return 1;
}
