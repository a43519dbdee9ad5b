// `moft reward score`: what a recipe's objectives say of given completions.
//
// Only `objectives` and the compute settings of the recipe are read, so a file
// with nothing but objectives will do.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/core/paths.h"
#include "moft/data/example.h"
#include "moft/recipes/compute.h"
#include "moft/recipes/recipe.h"
#include "moft/rewards/length.h"
#include "moft/rewards/make_objectives.h"

#include "cli/command.h"

namespace moft {

namespace {

// Rows that are scored together.
constexpr std::size_t kBatch = 256;

struct RewardsOfRecipe {
  ComputeOptions compute;
  Objectives objectives;

  template <class V>
  void fields(V& v) {
    compute.fields(v);
    v("objectives", objectives, Help{"the rewards by name"}, Required{});
  }
  void check(const std::string& path) const {
    check_objectives(objectives, path + "objectives");
  }
};

// Keys of a whole recipe that play no part here.
SettingsNode without_other_keys(SettingsNode tree) {
  const auto options = list_options<RewardsOfRecipe>();
  std::erase_if(tree.members, [&](const SettingsMember& member) {
    return std::none_of(options.begin(), options.end(), [&](const auto& known) {
      return known.path == member.key ||
             known.path.starts_with(member.key + ".");
    });
  });
  return tree;
}

RewardsOfRecipe read_rewards(
    const RecipeSource& source, const std::vector<std::string>& overrides) {
  RewardsOfRecipe rewards;
  fields_detail::read_tree(
      rewards,
      without_other_keys(parse_yaml(source.text, source.place)),
      source.place);
  for (const std::string& assignment : overrides)
    override_option(rewards, assignment);
  for_each_path(rewards, [&](const std::string& key, std::string& path) {
    path = expand_path(path, source.place + ": " + key);
    resolve_path(path, key, source);
  });
  check_options(rewards, source.place);
  return rewards;
}

// A file of completions does not say how many tokens a model made of them.
void refuse_counts_of_tokens(const Objectives& objectives) {
  for (const auto& [name, objective] : objectives) {
    if (objective.kind().name != length_kind().name) continue;
    const auto& options = objective.chosen().get<LengthOptions>();
    if (options.unit != LengthUnit::kTokens) continue;
    throw_caller_error(
        "objective {}: counts tokens, which the input does not have; count "
        "words (unit: words) or leave the objective out",
        name);
  }
}

class RewardScoreCommand : public Command {
 public:
  void declare(Parser& parser) override {
    parser.add_option("RECIPE", recipe_, "A YAML file with objectives")
        .required()
        .type_name("");
    parser
        .add_option(
            "OVERRIDES",
            overrides_,
            "Keys to set, as dotted.key=value; the value is YAML")
        .type_name("")
        .default_text("");
    parser
        .add_path(
            "--input",
            input_,
            "JSON lines with the answer in `completion`, and the fields that "
            "the objectives read; out comes one line each with the raw rewards "
            "by name")
        .required();
  }

  int run() override {
    const RecipeSource source = find_recipe(recipe_);
    const RewardsOfRecipe rewards = read_rewards(source, overrides_);
    refuse_counts_of_tokens(rewards.objectives);
    const auto rows = read_examples(std::filesystem::path(input_));
    const Compute compute = use_compute(rewards.compute);
    const auto objectives =
        make_objectives(rewards.objectives, ".", compute.load.device);
    for (std::size_t first = 0; first < rows.size(); first += kBatch) {
      const std::size_t count = std::min(kBatch, rows.size() - first);
      print(objectives, batch_of({&rows[first], count}));
    }
    return 0;
  }

 private:
  static RewardBatch batch_of(std::span<const Example> rows) {
    RewardBatch batch;
    for (const Example& row : rows) {
      const auto prompt = row.fields.find("prompt");
      const std::string& completion =
          text_field(row, "completion", "moft reward score");
      batch.prompts.push_back(
          prompt == row.fields.end() ? std::string() : prompt->second);
      batch.completions.push_back(completion);
      batch.token_counts.push_back(0);
      batch.examples.push_back(&row);
      batch.completion_ids.emplace_back();
      batch.raw_completions.push_back(completion);
      batch.turns.push_back(nullptr);
    }
    return batch;
  }

  static void print(const ObjectiveSet& objectives, const RewardBatch& batch) {
    const Scores scores = objectives.score(batch);
    std::vector<std::vector<double>> columns;
    for (std::size_t k = 0; k < objectives.size(); ++k)
      columns.push_back(column_of(scores.raw, k));
    for (std::size_t row = 0; row < batch.rows(); ++row) {
      nlohmann::ordered_json line;
      line["id"] = batch.examples[row]->id;
      for (std::size_t k = 0; k < objectives.size(); ++k)
        line[objectives.names()[k]] = columns[k][row];
      fmt::print("{}\n", dump_json(line));
    }
  }

  std::string recipe_;
  std::vector<std::string> overrides_;
  std::string input_;
};

}  // namespace

std::unique_ptr<Command> make_reward_score_command() {
  return std::make_unique<RewardScoreCommand>();
}

}  // namespace moft
