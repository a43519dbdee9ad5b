#include "cli/run_command.h"

#include <algorithm>
#include <iterator>

#include "cli/signals.h"

namespace moft {

namespace fs = std::filesystem;

void add_run_arguments(
    Parser& parser, RunArguments& arguments, const std::string& recipe_help) {
  parser.add_option("RECIPE", arguments.recipe, recipe_help).required();
  parser.add_option(
      "OVERRIDES",
      arguments.overrides,
      "Keys to set, as dotted.key=value; the value is YAML");
  add_output_flags(parser, arguments.output);
}

std::string command_line(
    std::string_view command,
    const RunArguments& arguments,
    const std::string& directory) {
  std::string line = "moft " + std::string(command) + " " + arguments.recipe;
  for (const std::string& word : arguments.overrides)
    line += " '" + word + "'";
  return line + " --output " + directory;
}

bool is_free_key(std::span<const char* const> keys, const std::string& key) {
  // Not `precision`.
  constexpr const char* kHeaderKeys[] = {
      "name", "description", "output", "device", "threads"};
  const bool of_header =
      std::find(std::begin(kHeaderKeys), std::end(kHeaderKeys), key) !=
      std::end(kHeaderKeys);
  return of_header ||
         std::any_of(keys.begin(), keys.end(), [&](const std::string listed) {
           return key == listed || key.starts_with(listed + ".");
         });
}

RunBegins begins_by(const OutputFlags& flags) {
  return flags.resume.empty() ? RunBegins::kFresh : RunBegins::kResumed;
}

RunOutput settle_output(const OutputFlags& flags, RecipeHeader& recipe) {
  RunOutput output = choose_output(flags, recipe.output);
  output.directory = fs::absolute(output.directory).lexically_normal().string();
  recipe.output = output.directory;
  return output;
}

void check_resumed(
    const std::optional<Checkpoint>& resume,
    const InputHashes& hashes,
    const Compute& compute) {
  if (!resume) return;
  check_same_inputs(*resume, hashes);
  warn_of_other_machine(resume->state, compute);
}

RunSetup make_run_setup(
    const RecipeHeader& recipe,
    std::string text,
    const RunInputs& inputs,
    const Compute& compute) {
  RunSetup setup;
  setup.directory = recipe.output;
  setup.recipe = std::move(text);
  setup.input_hashes = inputs.hashes();
  setup.watch = inputs.watch();
  setup.device = compute.load.device.str();
  setup.threads = compute.threads;
  setup.stop_requested = [] { return interrupted_by() != 0; };
  return setup;
}

}  // namespace moft
