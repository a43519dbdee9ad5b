// `moft soup`: runs that each trained one objective alone become one policy,
// their copies side by side (rewarded soups; row 76 of docs/paper.md). Or
// adapters of other programs do (adapter_soup.h).
//
// Every policy mixes its copies under a weighting, so this only chooses
// tensors.
#include <map>
#include <set>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/log.h"
#include "moft/core/text.h"
#include "moft/generation/policy_directory.h"
#include "moft/recipes/recipe.h"
#include "moft/recipes/run_at_step.h"
#include "moft/training/publish.h"
#include "moft/training/run_directory.h"

#include "cli/adapter_soup.h"
#include "cli/command.h"
#include "cli/result.h"
#include "cli/run_output.h"
#include "cli/signals.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

// What the recipes of the runs may also differ in.
constexpr const char* kFreeKeys[] = {
    "data.final",
    "weightings.weights",
    "training.seed",
    "training.steps",
    "training.evaluation",
    "training.checkpoint",
    "training.log_samples"};

// A finished run that trained one objective.
struct Ingredient {
  std::string run;  // as it was given
  RunAtStep at;
  Recipe recipe;
  std::string objective;
  std::int64_t steps = 0;  // that the policy was trained for

  fs::path policy() const { return at.policy(); }
  std::unique_ptr<SteeredPolicy> load() const {
    const TrainingOptions& training = recipe.training;
    return load_policy_at(
        at, training.prompts_per_step * training.samples_per_prompt);
  }
};

// The objective that has all the weight.
std::string only_objective(const Recipe& recipe, const std::string& run) {
  if (recipe.weightings.sampler == WeightingDistribution::kFixed) {
    for (const auto& [name, weight] : recipe.weightings.weights)
      if (weight == 1.0) return name;
  }
  throw_caller_error(
      "{}: did not train one objective alone; train it with "
      "weightings.sampler=fixed and a weighting that is 1 for one objective "
      "and 0 for the others",
      run);
}

Ingredient read_ingredient(const std::string& run) {
  Ingredient one;
  one.run = run;
  one.at = parse_run(run);
  const fs::path file = one.at.directory / kRecipeFile;
  if (!fs::exists(file) || !fs::exists(one.policy() / "moft.json")) {
    throw_caller_error(
        "{}: is not a finished run; give the output directory of `moft train`",
        run);
  }
  one.recipe = load_recipe(find_recipe(file.string()), {});
  one.objective = only_objective(one.recipe, run);
  const auto& words = one.recipe.conditioning.prompt;
  if (words && words->common_adapter) {
    throw_caller_error(
        "{}: trained one adapter for all objectives "
        "(conditioning.prompt.common_adapter), which cannot be mixed by "
        "weight; train without it",
        run);
  }
  copies_at(one.at);  // must be there
  one.steps = one.at.step.value_or(
      read_definition(one.policy()).steps.value_or(one.recipe.training.steps));
  if (const auto remark = remark_on_step(one.at, one.recipe))
    log_warning("{}", *remark);
  return one;
}

void check_same_recipe(const Ingredient& first, const Ingredient& other) {
  for (const auto& key : differing_options(first.recipe, other.recipe)) {
    if (is_free_key(kFreeKeys, key)) continue;
    throw_caller_error(
        "{} and {} differ in {}; the runs of a soup differ in their weights "
        "only",
        first.run,
        other.run,
        key);
  }
}

void check_complete(const std::vector<Ingredient>& ingredients) {
  const Ingredient& first = ingredients.front();
  std::set<std::string> found;
  for (const Ingredient& one : ingredients) {
    check_same_recipe(first, one);
    if (!found.insert(one.objective).second) {
      throw_caller_error(
          "two runs trained objective '{}'; give one for each objective",
          one.objective);
    }
  }
  for (const std::string& name : first.recipe.objective_names()) {
    if (found.contains(name)) continue;
    throw_caller_error(
        "no run trained objective '{}'; give one for each objective", name);
  }
}

// What is known of the base of both policies is equal: its weights, and its
// configuration and tokenizer where both recorded them.
bool same_base(const SteeredPolicy& one, const SteeredPolicy& other) {
  const auto& theirs = other.definition().provenance;
  for (const auto& [key, hash] : one.definition().provenance) {
    if (!key.starts_with("xxh3 base ")) continue;
    const auto found = theirs.find(key);
    const bool weights = key.starts_with("xxh3 base weights");
    if (found == theirs.end() ? weights : found->second != hash) return false;
  }
  return true;
}

using Tensors = std::map<std::string, at::Tensor>;

// The copy that a run trained; `policy` is the run's.
void take_copy(
    Tensors& soup, const Ingredient& one, const SteeredPolicy& policy) {
  for (const auto& [name, tensor] : policy.conditioning()->tensors()) {
    if (name.starts_with("shared/")) {
      throw_caller_error(
          "{}: trained parameters that all weightings share, which cannot be "
          "mixed by weight; train with conditioning.freeze_shared=true",
          one.run);
    }
    if (name.starts_with(one.objective + "/")) soup[name] = tensor.clone();
  }
}

std::unique_ptr<SteeredPolicy> mix(const std::vector<Ingredient>& ingredients) {
  auto policy = ingredients.front().load();
  if (policy->conditioning()->tensor_names().empty()) {
    throw_caller_error(
        "{}: has no copies to mix (steered_set: none)",
        ingredients.front().run);
  }
  Tensors soup;
  take_copy(soup, ingredients.front(), *policy);
  for (std::size_t i = 1; i < ingredients.size(); ++i) {
    const auto other = ingredients[i].load();
    if (!same_base(*other, *policy) || !same_base(*policy, *other)) {
      throw_caller_error(
          "{} and {} were trained on different base models",
          ingredients.front().run,
          ingredients[i].run);
    }
    take_copy(soup, ingredients[i], *other);
  }
  policy->conditioning()->load(
      [&](const std::string& name, const std::vector<std::int64_t>&) {
        return soup.at(name);
      });
  return policy;
}

// What `moft evaluate` reads: one run of all the steps together.
Recipe recipe_of_soup(
    const std::vector<Ingredient>& ingredients, const std::string& output) {
  Recipe recipe = ingredients.front().recipe;
  recipe.training.steps = 0;
  for (const Ingredient& one : ingredients)
    recipe.training.steps += one.steps;
  recipe.name += "-soup";
  recipe.description =
      "a rewarded soup: each objective's copy was trained alone, and they are "
      "mixed by weight";
  recipe.output = output;
  recipe.weightings = {};
  return recipe;
}

class SoupCommand : public Command {
 public:
  void declare(Parser& parser) override {
    parser.add_path(
        "RUNS",
        runs_,
        "Finished runs of one recipe, one for each objective, each trained "
        "with weightings.sampler=fixed on that objective alone; RUN@STEP: as "
        "it was after a step whose checkpoint it keeps");
    adapters_.declare(parser);
    parser_ = &parser;
    parser.add_path("--to", to_, "The run directory to make").required();
  }

  int run() override {
    outlive_closed_pipes();
    if (runs_.empty() == !adapters_.given()) {
      parser_->throw_usage(fmt::format(
          "{}; give either RUNS or --model and --adapter",
          runs_.empty() ? "RUNS is required"
                        : "RUNS and adapters exclude each other"));
    }
    check_room();
    to_ = fs::absolute(to_).lexically_normal().string();
    if (adapters_.given()) return mix_adapters();
    std::vector<Ingredient> ingredients;
    for (const std::string& run : runs_)
      ingredients.push_back(read_ingredient(run));
    check_complete(ingredients);
    const Recipe recipe = recipe_of_soup(ingredients, to_);
    const auto policy = mix(ingredients);
    write(recipe, *policy, ingredients.front().policy());
    print(ingredients, recipe);
    return 0;
  }

 private:
  int mix_adapters() const {
    const auto policy = adapters_.mix();
    publish(*policy, adapters_.card(*policy), adapters_.model(), /*recipe=*/"");
    adapters_.print();
    const std::string path = (fs::path(to_) / "policy").string();
    const auto names = policy->names();
    print_result("policy   {}\n", path);
    print_result(
        "next:\n  moft generate {} --weights {} --prompt TEXT\n"
        "  moft sweep {} --prompt TEXT\n"
        "  moft evaluate {} --recipe RECIPE   # with rewards of these names\n",
        to_,
        format_weighting(Weighting::uniform(names.size()), names),
        to_,
        to_);
    return 0;
  }

  // `recipe`: of the runs; of adapters there is none.
  void publish(
      const SteeredPolicy& policy,
      const std::string& card,
      const fs::path& base_path,
      const std::string& recipe) const {
    const RunLock lock(to_);
    check_room();
    write_run_kind(to_, RunKind::kSoup);
    const fs::path run(to_);
    if (!recipe.empty()) write_atomically(run / kRecipeFile, recipe);
    save_policy(policy, base_path, run / "policy", card);
  }

  void check_room() const {
    if (const auto kind = find_run_kind(to_)) {
      throw_caller_error(
          "{}: holds a run already (of `{}`); choose another directory",
          to_,
          command_of(*kind));
    }
    refuse_things_in_the_way(to_, RunKind::kSoup);
  }

  void write(
      const Recipe& recipe,
      SteeredPolicy& policy,
      const fs::path& base_path) const {
    const TrainingOptions& training = recipe.training;
    policy.record_provenance("recipe", recipe.name);
    policy.record_training(
        training.steps,
        training.steps * training.prompts_per_step *
            training.samples_per_prompt);
    ModelCard card;
    card.name = recipe.name;
    card.description = recipe.description;
    card.base_model = recipe.policy.model;
    card.steps = recipe.training.steps;
    publish(
        policy,
        model_card_text(card, policy),
        base_path,
        print_options(recipe));
  }

  // The ledger: a soup is compared with one run of as many steps.
  void print(
      const std::vector<Ingredient>& ingredients, const Recipe& recipe) const {
    for (const Ingredient& one : ingredients) {
      print_result(
          "{:<20} {:>7} steps  {}\n", one.objective, one.steps, one.run);
    }
    print_result("{:<20} {:>7} steps\n", "together", recipe.training.steps);
    print_result("policy   {}\n", (fs::path(to_) / "policy").string());
    print_result(
        "next:\n  moft evaluate RUN --baseline {}   # RUN: one of as many "
        "steps for all weightings\n",
        to_);
  }

  std::vector<std::string> runs_;
  const Parser* parser_ = nullptr;
  AdapterSoup adapters_;
  std::string to_;
};

}  // namespace

std::unique_ptr<Command> make_soup_command() {
  return std::make_unique<SoupCommand>();
}

}  // namespace moft
