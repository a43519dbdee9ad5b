// `moft`: finds the sub-command, runs it, and turns every failure into one
// sentence and an exit code: 2 for the caller's fault, 1 for the world's.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/core/log_muting.h"
#include "moft/core/memory.h"
#include "moft/distributed/error_file.h"
#include "moft/distributed/stopped_waiting.h"
#include "moft/recipes/recipe_reference.h"

#include "cli/command.h"
#include "cli/find_launch.h"
#include "cli/recipe_kind.h"
#include "cli/signals.h"

namespace moft {

namespace {

constexpr int kCallerFault = 2;
constexpr int kWorldFault = 1;

constexpr const char* kAbout =
    "Steerable multi-objective finetuning of language models: one policy for "
    "all weightings of several rewards.";

int fail(int code, std::string message) {
  // One line, whatever a library put into its exception.
  message = message.substr(0, message.find('\n'));
  mute_log(false);
  write_log_line("moft: " + message);  // nobody has to listen
  write_error_file(process_environment(), message);
  return code;
}

struct Program {
  Parser parser{"moft", kAbout};
  struct Entry {
    std::string name;
    std::unique_ptr<Command> command;
    Parser* parser;
  };
  std::vector<Entry> entries;

  Program() {
    for (const CommandEntry& entry : commands()) {
      Parser& own = add_parser(entry);
      entries.push_back({entry.name, entry.make(), &own});
      entries.back().command->declare(own);
    }
    // Read by hand below; here so that it is listed.
    parser.add_command("help", "Show every option of a command or recipe key");
    parser.set_footer(
        "'moft help COMMAND' shows the options of a command, 'moft help "
        "training.steps' explains a recipe key.");
  }

 private:
  Parser& add_parser(const CommandEntry& entry) {
    const auto space = entry.name.find(' ');
    if (space == std::string::npos)
      return parser.add_command(entry.name, entry.summary);
    const std::string first = entry.name.substr(0, space);
    Parser* group = parser.find_command(first);
    if (!group) group = &add_group(first);
    return group->add_command(entry.name.substr(space + 1), entry.summary);
  }

  Parser& add_group(const std::string& name) {
    for (const CommandGroup& group : command_groups()) {
      if (group.name != name) continue;
      Parser& added = parser.add_command(name, group.summary);
      added.require_command();
      return added;
    }
    throw_caller_error("command group {}: not declared; declare it", name);
  }
};

// `moft help`, `moft help recipe show`, `moft help training.steps`.
int help(Program& program, const std::vector<std::string>& words) {
  Parser* parser = &program.parser;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string key =
        i == 0 ? describe_recipe_key(recipe_keys(), words[0]) : "";
    Parser* command = parser->find_command(words[i]);
    if (!command && !key.empty()) {
      fmt::print("{}", key);
      return 0;
    }
    if (!command) parser->throw_unknown(words[i]);
    parser = command;
  }
  fmt::print("{}", parser->help());
  return 0;
}

int run(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  Program program;
  if (words.empty()) {
    fmt::print(stderr, "{}", program.parser.help());
    return kCallerFault;
  }
  if (words[0] == "help")
    return help(program, {words.begin() + 1, words.end()});
  if (words[0] == "--version") words[0] = "version";
  const bool is_command = program.parser.find_command(words[0]) != nullptr;
  if (!is_command && words[0] != "--help" && words[0] != "-h")
    program.parser.throw_unknown(words[0]);
  if (!program.parser.parse(words)) return 0;
  for (const auto& [name, command, parser] : program.entries) {
    if (!parser->chosen()) continue;
    if (!command->runs_over_ranks()) refuse_several_ranks(name);
    return command->run();
  }
  return kCallerFault;
}

// What a command's user can lower when memory runs out. `words`: the command
// line.
const char* memory_cure(const std::vector<std::string>& words) {
  const std::string command = words.empty() ? "" : words[0];
  const std::string two = words.size() < 2 ? "" : command + " " + words[1];
  for (const RecipeKind& kind : recipe_kinds()) {
    if (kind.command == command || kind.command == two) return kind.memory_cure;
  }
  if (command == "generate" || command == "sweep") {
    return "lower --max-new-tokens, give fewer prompts or weightings at once, "
           "or take a smaller model or --precision bf16";
  }
  if (command == "evaluate") {
    return "lower --prompts, --samples or --weightings, or take a smaller "
           "model";
  }
  if (command == "calibrate")
    return "lower --prompts or --samples, or take a smaller model";
  if (command == "score") {
    return "give fewer or shorter texts at once, or take a smaller model or "
           "--precision bf16";
  }
  return "close other programs, or take a smaller model or file";
}

int run_guarded(int argc, char** argv) {
  try {
    int code = run(argc, argv);
    if (std::fflush(stdout) != 0) {
      return fail(kWorldFault, "standard output cannot be written");
    }
    return code;
  } catch (const CallerError& error) {
    return fail(kCallerFault, error.what());
  } catch (const StoppedWaiting& error) {
    return fail(128 + interrupted_by(), error.what());
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) {
      const char* cure = memory_cure({argv + 1, argv + argc});
      return fail(kWorldFault, out_of_memory_message(error, cure));
    }
    return fail(kWorldFault, error.what());
  }
}

}  // namespace

}  // namespace moft

int main(int argc, char** argv) {
  moft::hold_standard_streams();
  moft::report_bus_errors();
  const int code = moft::run_guarded(argc, argv);
  // Skip static destructors: tearing down libtorch's operator tables is slow.
  std::fflush(nullptr);
  std::_Exit(code);
}
