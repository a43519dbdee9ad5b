// Opens a finished run and checks what may be compared with it.
#include "moft/recipes/evaluated_run.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/text.h"
#include "moft/evaluation/report_json.h"
#include "moft/generation/policy_kinds.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBaseHash = "xxh3 base weights";

std::string base_hashes(const PolicyInfo& info) {
  std::string hashes;
  for (const auto& [name, hash] : info.provenance) {
    if (!name.starts_with(kBaseHash)) continue;
    hashes += (hashes.empty() ? "" : ", ") +
              name.substr(std::string(kBaseHash).size() + 1) + " " + hash;
  }
  return hashes;
}

PolicyFacts facts_of(const PolicyInfo& info) {
  PolicyFacts facts;
  const auto base = info.provenance.find("base");
  if (base != info.provenance.end()) facts.base = base->second;
  facts.base_hashes = base_hashes(info);
  facts.prompt_template = info.prompt.text();
  facts.temperature = info.temperature;
  facts.alpha = info.default_alpha;
  facts.steps = info.steps;
  facts.answers = info.answers;
  return facts;
}

// "| figure | first step | step 54 |" in the model card of a policy.
std::optional<std::int64_t> steps_on_card(const fs::path& policy) {
  constexpr std::string_view kHead = "| figure | first step | step ";
  const fs::path card = policy / "README.md";
  if (!fs::exists(card)) return std::nullopt;
  const std::string text = read_text(card);
  const std::size_t at = text.find(kHead);
  if (at == std::string::npos) return std::nullopt;
  std::int64_t steps = 0;
  const char* first = text.data() + at + kHead.size();
  const auto read = std::from_chars(first, text.data() + text.size(), steps);
  return read.ec == std::errc() ? std::optional(steps) : std::nullopt;
}

// The smaller of what the recipe and the log say: both may be of later steps.
std::int64_t steps_of_run(const EvaluatedRun& run) {
  const std::int64_t steps = run.recipe.training.steps;
  const auto rows = read_training_rows(run.directory / "metrics.jsonl", {});
  if (rows.empty()) return steps;
  return std::min(steps, static_cast<std::int64_t>(rows.back().step));
}

std::int64_t answers_per_step(const EvaluatedRun& run) {
  const TrainingOptions& training = run.recipe.training;
  return training.prompts_per_step * training.samples_per_prompt;
}

// What is said of a policy of an earlier step.
void take_step(EvaluatedRun& run) {
  if (copies_at(run.at_step()) == run.policy()) return;
  run.info.steps = run.facts.steps = run.step;
  run.info.answers = run.facts.answers = *run.step * answers_per_step(run);
  if (const auto remark = remark_on_step(run.at_step(), run.recipe))
    run.remarks.push_back(*remark);
}

// For policies whose moft.json does not say how long they were trained.
void guess_training(EvaluatedRun& run) {
  const TrainingOptions& training = run.recipe.training;
  const auto on_card = steps_on_card(run.policy());
  const std::int64_t steps = on_card.value_or(steps_of_run(run));
  run.facts.steps = steps;
  run.facts.answers =
      steps * training.prompts_per_step * training.samples_per_prompt;
  run.remarks.push_back(fmt::format(
      "The policy of {} does not record how long it was trained (an older "
      "moft wrote it); {} steps are taken from {}.",
      run.name,
      steps,
      on_card ? "its model card"
              : "the run's recipe and log, which may be of a later training"));
}

// Ranges of a soup say nothing of the rewards that a recipe lends.
void check_lent_objectives(const EvaluatedRun& run) {
  std::vector<std::string> names;
  for (const auto& objective : run.info.objectives)
    names.push_back(objective.name);
  const auto lent = run.recipe.objective_names();
  if (names == lent) return;
  throw_caller_error(
      "{}: the policy's objectives are {}, and those of recipe {} are {}; give "
      "a recipe with a reward for each of the policy's objectives, by its name",
      run.name,
      join(names, ", "),
      run.recipe.name,
      join(lent, ", "));
}

void check_own_objectives(const EvaluatedRun& run) {
  const auto names = run.recipe.objective_names();
  const auto& objectives = run.info.objectives;
  bool same = names.size() == objectives.size();
  for (std::size_t i = 0; same && i < names.size(); ++i) {
    const auto& range = run.recipe.objectives.at(names[i]).range;
    same = names[i] == objectives[i].name && range[0] == objectives[i].low &&
           range[1] == objectives[i].high;
  }
  if (same) return;
  throw_caller_error(
      "{}: the policy's objectives and ranges are not those of recipe.yaml; "
      "put back the recipe that the policy was trained with",
      run.name);
}

// Hashes of the rewards' encoders, as the policy keeps them.
std::map<std::string, std::string> reward_hashes(const PolicyInfo& info) {
  std::map<std::string, std::string> hashes;
  for (const auto& entry : info.provenance)
    if (entry.first.starts_with("xxh3 objectives.")) hashes.insert(entry);
  return hashes;
}

void check_same_objectives(const EvaluatedRun& run, const EvaluatedRun& other) {
  constexpr const char* kCure =
      "compare runs of the same objectives, or evaluate each for itself";
  const std::set<std::string> paths = path_keys(run.recipe);
  for (const auto& key : differing_options(run.recipe, other.recipe)) {
    // A path may differ; the hash below tells whether the encoder does.
    if (!key.starts_with("objectives") || paths.contains(key)) continue;
    throw_caller_error(
        "{} has other objectives than {}: they differ in {}; {}",
        other.name,
        run.name,
        key,
        kCure);
  }
  if (run.lent || other.lent) return;  // one of the two has none
  if (reward_hashes(run.info) != reward_hashes(other.info)) {
    throw_caller_error(
        "{} has other objectives than {}: their encoders differ; {}",
        other.name,
        run.name,
        kCure);
  }
}

bool same_examples(
    const std::vector<Example>& a, const std::vector<Example>& b) {
  return std::equal(
      a.begin(),
      a.end(),
      b.begin(),
      b.end(),
      [](const Example& x, const Example& y) {
        return x.fields == y.fields && x.dialogues == y.dialogues;
      });
}

}  // namespace

Recipe open_recipe(const std::string& path_or_name) {
  const RecipeSource source = find_recipe(path_or_name);
  Recipe recipe = load_recipe(source, {});
  resolve_paths(recipe, source);
  return recipe;
}

EvaluatedRun open_evaluated_run(const std::string& path, const Recipe* lent) {
  EvaluatedRun run;
  run.name = path;
  const RunAtStep at = parse_run(path);
  run.directory = at.directory;
  run.step = at.step;
  const fs::path recipe = run.directory / "recipe.yaml";
  const bool own = fs::exists(recipe);
  if (!fs::exists(run.policy() / "moft.json")) {
    throw_caller_error(
        "{} is not a finished run (it has no {}); give the output directory "
        "of `moft train` or `moft soup`",
        path,
        own ? "policy" : "recipe.yaml");
  }
  run.lent = !own && lent;
  if (run.step && !own) {
    throw_caller_error(
        "{}: {} has no recipe.yaml, so it was not trained in steps; leave out "
        "@{}",
        path,
        run.directory.string(),
        *run.step);
  }
  if (!own && !lent) {
    throw_caller_error(
        "{} has no recipe.yaml, as a soup of adapters has none; give a recipe "
        "with held-out data and a reward for each objective: --recipe RECIPE",
        path);
  }
  run.recipe = own ? open_recipe(recipe.string()) : *lent;
  run.info = describe_policy(run.policy());
  run.facts = facts_of(run.info);
  if (run.lent) {
    check_lent_objectives(run);
    run.remarks.push_back(fmt::format(
        "{} has no recipe: it is not known what it was trained on, and the "
        "rewards and data are those of recipe {}.",
        run.name,
        run.recipe.name));
    return run;
  }
  check_own_objectives(run);
  if (run.step) {
    take_step(run);
  } else if (!run.facts.steps) {
    guess_training(run);
  }
  return run;
}

std::unique_ptr<Policy> open_policy(
    const EvaluatedRun& run, const PolicyOpening& opening) {
  if (!run.step || copies_at(run.at_step()) == run.policy())
    return open_policy(run.policy(), opening);
  auto policy =
      load_policy_at(run.at_step(), answers_per_step(run), opening.load);
  policy->expect_steerings(opening.steerings);
  return policy;
}

void check_comparable_runs(
    const EvaluatedRun& run, const EvaluatedRun& other, Split split) {
  check_same_objectives(run, other);
  if (split == Split::kFinal && other.recipe.data.final.empty()) return;
  if (same_examples(
          read_split(run.recipe.data, split),
          read_split(other.recipe.data, split))) {
    return;
  }
  throw_caller_error(
      "{} has other prompts than {}: data.{} is {} there and {} here; compare "
      "runs that name the same examples",
      other.name,
      run.name,
      split_name(split),
      split_files(other.recipe.data, split),
      split_files(run.recipe.data, split));
}

std::size_t check_unseen(
    const EvaluatedRun& run,
    const std::vector<Example>& examples,
    const PromptMaker& prompt,
    Split split,
    std::vector<std::string>& remarks) {
  if (run.lent) return 0;  // the recipe's training data are not the run's
  std::vector<Example> part;
  const auto read = [&](Split other) -> const std::vector<Example>& {
    return part = read_split(run.recipe.data, other);
  };
  const SeenPrompts seen = find_seen(
      prompt,
      {split, examples, " of " + run.name},
      read,
      /*place=*/"");
  if (seen.count > 0) {
    remarks.push_back(fmt::format(
        "Warning: {}. On these the policy is not measured on prompts that it "
        "has never seen.",
        seen.what));
  }
  return seen.count;
}

bool has_alpha_knob(const EvaluatedRun& run) {
  const bool drawn =
      run.recipe.training.kl_sampler != AlphaDistribution::kFixed;
  const bool lower = run.info.kl_range.alpha_min() < run.info.default_alpha;
  return run.info.alpha_acts && (run.lent || drawn || lower);
}

}  // namespace moft
