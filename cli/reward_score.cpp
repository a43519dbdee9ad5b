// `moft reward score`: what a recipe's objectives say of given completions.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/data/example.h"
#include "moft/recipes/compute.h"
#include "moft/rewards/make_objectives.h"

#include "cli/command.h"
#include "cli/recipe_rewards.h"

namespace moft {

namespace {

// Rows that are scored together.
constexpr std::size_t kBatch = 256;

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
    const RecipeRewards rewards = read_recipe_rewards(recipe_, overrides_);
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
