// A sub-command of `moft`, and how to add one.
//
// 1. Write cli/<name>.cpp with a class derived from Command and a function
//    `std::unique_ptr<Command> make_<name>_command()`.
// 2. Declare that function below and add one line to the table in
//    cli/commands.cpp.
//
// A command that runs a recipe is an entry of cli/recipe_kind.cpp instead.
//
// Its options are declared with cli/parser.h, never with CLI11 itself, whose
// header would add seconds to the file's compilation.
//
// Errors: throw CallerError (exit 2) or WorldError (exit 1) with one sentence;
// main prints it as "moft: <sentence>". Results go to standard output,
// progress through moft/core/log.h to standard error.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/parser.h"

namespace moft {

struct RecipeKind;

class Command {
 public:
  virtual ~Command() = default;
  // Adds options to the sub-command's own parser. Each option's help says its
  // unit; its default is added automatically.
  virtual void declare(Parser& parser) = 0;
  // Called once the command line has been read. Returns the exit code.
  virtual int run() = 0;
  // Whether a launcher may start it as several processes: it works as one job
  // of them, or writes nothing.
  virtual bool runs_over_ranks() const { return false; }
};

// The first word of commands that have two.
struct CommandGroup {
  std::string name;
  const char* summary;
};
std::vector<CommandGroup> command_groups();

struct CommandEntry {
  std::string name;  // "train", "reward train"
  const char* summary;
  std::function<std::unique_ptr<Command>()> make;
};

// In the order in which help lists them.
std::vector<CommandEntry> commands();

// `moft train`, `moft sft`, `moft reward train` and every other command that
// runs a recipe.
std::unique_ptr<Command> make_recipe_runner(const RecipeKind& kind);
std::unique_ptr<Command> make_evaluate_command();
std::unique_ptr<Command> make_judge_command();
std::unique_ptr<Command> make_generate_command();
std::unique_ptr<Command> make_sweep_command();
std::unique_ptr<Command> make_steer_command();
std::unique_ptr<Command> make_score_command();
std::unique_ptr<Command> make_reward_score_command();
std::unique_ptr<Command> make_tokenize_command();
std::unique_ptr<Command> make_export_command();
std::unique_ptr<Command> make_soup_command();
std::unique_ptr<Command> make_combine_command();
std::unique_ptr<Command> make_calibrate_command();
std::unique_ptr<Command> make_plan_command();
std::unique_ptr<Command> make_recipe_command();
std::unique_ptr<Command> make_verdict_command();
std::unique_ptr<Command> make_verify_command();
std::unique_ptr<Command> make_version_command();

}  // namespace moft
