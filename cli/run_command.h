// What the commands that make a run from a recipe have in common: `moft train`
// and `moft sft`.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "moft/recipes/compute.h"
#include "moft/recipes/preflight.h"
#include "moft/recipes/recipe_header.h"
#include "moft/recipes/run_inputs.h"
#include "moft/training/run.h"

#include "cli/parser.h"
#include "cli/run_output.h"

namespace moft {

struct RunArguments {
  std::string recipe;
  std::vector<std::string> overrides;
  OutputFlags output;
};

void add_run_arguments(
    Parser& parser, RunArguments& arguments, const std::string& recipe_help);

// The command line that resumes a run: "moft train r.yaml 'a=1' --output DIR".
std::string command_line(
    std::string_view command,
    const RunArguments& arguments,
    const std::string& directory);

// True for a key that two recipes of the same result may differ in: those of
// the header that change no number, and `keys`, each with its children.
bool is_free_key(std::span<const char* const> keys, const std::string& key);

// Whether a run with these flags has checkpoints already.
RunBegins begins_by(const OutputFlags& flags);

// Every path of a recipe as the run directory keeps it: readable from anywhere.
template <class R>
void make_paths_absolute(R& recipe) {
  for_each_path(recipe, [](const std::string&, std::string& path) {
    path = std::filesystem::absolute(path).lexically_normal().string();
  });
}

// Decides where the run writes, and gives the recipe that path.
RunOutput settle_output(const OutputFlags& flags, RecipeHeader& recipe);

// CallerError when a resumed run's inputs have changed; a warning where only
// the machine has.
void check_resumed(
    const std::optional<Checkpoint>& resume,
    const InputHashes& hashes,
    const Compute& compute);

// Fills everything except the kind and on_evaluate. `text` is the effective
// recipe as YAML.
RunSetup make_run_setup(
    const RecipeHeader& recipe,
    std::string text,
    const RunInputs& inputs,
    const Compute& compute);

}  // namespace moft
