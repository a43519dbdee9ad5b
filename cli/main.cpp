// `moft`: finds the sub-command, runs it, and turns every failure into one
// sentence and an exit code: 2 for the caller's fault, 1 for the world's.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"

#include "cli/command.h"
#include "cli/recipe.h"
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
  write_log_line("moft: " + message);  // nobody has to listen
  return code;
}

struct Program {
  Parser parser{"moft", kAbout};
  struct Entry {
    std::unique_ptr<Command> command;
    Parser* parser;
  };
  std::vector<Entry> entries;

  Program() {
    for (const CommandEntry& entry : commands()) {
      Parser& own = parser.add_command(entry.name, entry.summary);
      entries.push_back({entry.make(), &own});
      entries.back().command->declare(own);
    }
    // Read by hand below; here so that it is listed.
    parser.add_command("help", "Show every option of a command or recipe key");
    parser.set_footer(
        "'moft help COMMAND' shows the options of a command, 'moft help "
        "training.steps' explains a recipe key.");
  }
};

// `moft help`, `moft help recipe show`, `moft help training.steps`.
int help(Program& program, const std::vector<std::string>& words) {
  Parser* parser = &program.parser;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string key = i == 0 ? describe_recipe_key(words[0]) : "";
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
  for (const auto& [command, parser] : program.entries) {
    if (parser->chosen()) return command->run();
  }
  return kCallerFault;
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
  } catch (const std::bad_alloc&) {
    return fail(kWorldFault, "not enough memory");
  } catch (const std::exception& error) {
    return fail(kWorldFault, error.what());
  }
}

}  // namespace

}  // namespace moft

int main(int argc, char** argv) {
  moft::report_bus_errors();
  const int code = moft::run_guarded(argc, argv);
  // Without taking down libtorch's tables of operators, which nobody reads now.
  std::fflush(nullptr);
  std::_Exit(code);
}
