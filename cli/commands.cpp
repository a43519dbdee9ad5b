// The table of sub-commands.
#include "cli/command.h"
#include "cli/recipe_kind.h"

namespace moft {

std::vector<CommandGroup> command_groups() {
  return {
      {"reward", "Train reward models; score given texts by objectives"},
  };
}

std::vector<CommandEntry> commands() {
  std::vector<CommandEntry> all;
  for (const RecipeKind& kind : recipe_kinds()) {
    all.push_back({kind.command, kind.summary, [&kind] {
                     return make_recipe_runner(kind);
                   }});
  }
  const CommandEntry others[] = {
      {"evaluate",
       "Measure a run's front; write its report",
       make_evaluate_command},
      {"judge", "Let a judge compare what runs write", make_judge_command},
      {"generate",
       "Complete prompts under one weighting",
       make_generate_command},
      {"sweep",
       "Complete one prompt under many weightings",
       make_sweep_command},
      {"steer", "Find the weighting that meets a wish", make_steer_command},
      {"score", "Log-probabilities of given completions", make_score_command},
      {"reward score",
       "What a recipe's objectives say of given texts",
       make_reward_score_command},
      {"tokenize", "Token ids of lines of text", make_tokenize_command},
      {"export",
       "Write a policy for transformers, PEFT, llama.cpp",
       make_export_command},
      {"soup",
       "Mix runs or adapters that each trained one objective",
       make_soup_command},
      {"combine",
       "Make policies of runs: dera, mod, bank, ..",
       make_combine_command},
      {"calibrate",
       "How the reference scores; propose ranges",
       make_calibrate_command},
      {"plan",
       "What a recipe needs of memory, links and time",
       make_plan_command},
      {"recipe", "Show, check and list recipes", make_recipe_command},
      {"verdict",
       "Decide claims from statistics of training seeds",
       make_verdict_command},
      {"verify",
       "Check the program against known answers",
       make_verify_command},
      {"version", "Print what a bug report needs", make_version_command},
  };
  all.insert(all.end(), std::begin(others), std::end(others));
  return all;
}

}  // namespace moft
