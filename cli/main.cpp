// `moft`: finds the sub-command, runs it, and turns every failure into one
// sentence and an exit code: 2 for the caller's fault, 1 for the world's.
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"

#include "cli/command.h"
#include "cli/recipe.h"

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
  fmt::print(stderr, "moft: {}\n", message);
  return code;
}

struct Program {
  CLI::App app{kAbout, "moft"};
  std::vector<std::unique_ptr<Command>> commands_;
  std::vector<CLI::App*> parsers_;

  Program() {
    app.option_defaults()->always_capture_default();
    app.get_formatter()->column_width(28);
    for (const CommandEntry& entry : commands()) {
      CLI::App* parser = app.add_subcommand(entry.name, entry.summary);
      commands_.push_back(entry.make());
      commands_.back()->declare(*parser);
      parsers_.push_back(parser);
    }
    // Read by hand below; here so that it is listed.
    app.add_subcommand("help", "Show every option of a command or recipe key");
    app.footer(
        "'moft help COMMAND' shows the options of a command, 'moft help "
        "training.steps' explains a recipe key.");
  }
};

CLI::App* find_command(const CLI::App& app, const std::string& name) {
  for (const CLI::App* sub :
       app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name() == name) return const_cast<CLI::App*>(sub);
  }
  return nullptr;
}

// "moft recipe show" of the command that was being read.
const CLI::App* deepest(const CLI::App* app) {
  while (!app->get_subcommands().empty())
    app = app->get_subcommands().front();
  return app;
}

std::string full_name(const CLI::App* app) {
  const CLI::App* parent = app->get_parent();
  if (!parent) return app->get_name();
  return full_name(parent) + " " + app->get_name();
}

void print_help(const CLI::App* app) {
  const CLI::App* parent = app->get_parent();
  fmt::print("{}", app->help(parent ? full_name(parent) : ""));
}

std::vector<std::string> names_in(const CLI::App* app, bool options) {
  std::vector<std::string> names;
  if (options) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        names.push_back("--" + name);
      }
    }
    return names;
  }
  for (const CLI::App* sub :
       app->get_subcommands([](const CLI::App* candidate) {
         return !candidate->get_name().empty();
       })) {
    names.push_back(sub->get_name());
  }
  return names;
}

std::string command_of_help(const CLI::App* app) {
  std::string name = full_name(app);
  return app->get_parent() ? "moft help" + name.substr(4) : "moft help";
}

[[noreturn]] void throw_unknown_word(
    const CLI::App* app, const std::string& word) {
  bool option = word.starts_with("-");
  std::string bare = word.substr(0, option ? word.find('=') : word.size());
  std::string kind = option                         ? "option"
                     : names_in(app, false).empty() ? "argument"
                                                    : "command";
  auto near = nearest_name(bare, names_in(app, option));
  throw_caller_error(
      "{} {} is not known to '{}'; {}",
      kind,
      quote_text(bare),
      full_name(app),
      near ? "did you mean '" + *near + "'?"
           : "'" + command_of_help(app) + "' shows what is");
}

[[noreturn]] void throw_for_parse_error(
    const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = deepest(&app);
  std::vector<std::string> rest = app.remaining(/*recurse=*/true);
  bool extras = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  if (!rest.empty() && extras) throw_unknown_word(command, rest.front());
  bool no_command = dynamic_cast<const CLI::RequiredError*>(&error) &&
                    command->get_require_subcommand_min() > 0;
  if (no_command) {
    if (!rest.empty()) throw_unknown_word(command, rest.front());
    throw_caller_error(
        "'{}' needs one of {}",
        full_name(command),
        join(names_in(command, /*options=*/false), ", "));
  }
  std::string message = error.what();
  while (!message.empty() && message.back() == '.')
    message.pop_back();
  throw_caller_error(
      "{}: {}; '{}' shows the options",
      full_name(command),
      message,
      command_of_help(command));
}

// `moft help`, `moft help recipe show`, `moft help training.steps`.
int help(Program& program, const std::vector<std::string>& words) {
  CLI::App* app = &program.app;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string key = i == 0 ? describe_recipe_key(words[0]) : "";
    CLI::App* sub = find_command(*app, words[i]);
    if (!sub && !key.empty()) {
      fmt::print("{}", key);
      return 0;
    }
    if (!sub) throw_unknown_word(app, words[i]);
    app = sub;
  }
  print_help(app);
  return 0;
}

int run(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  Program program;
  if (words.empty()) {
    fmt::print(stderr, "{}", program.app.help());
    return kCallerFault;
  }
  if (words[0] == "help")
    return help(program, {words.begin() + 1, words.end()});
  if (words[0] == "--version") words[0] = "version";
  bool is_command = find_command(program.app, words[0]) != nullptr;
  if (!is_command && words[0] != "--help" && words[0] != "-h") {
    throw_unknown_word(&program.app, words[0]);
  }
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    program.app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    print_help(deepest(&program.app));
    return 0;
  } catch (const CLI::ParseError& error) {
    throw_for_parse_error(program.app, error);
  }
  for (std::size_t i = 0; i < program.parsers_.size(); ++i) {
    if (program.parsers_[i]->parsed()) return program.commands_[i]->run();
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
  return moft::run_guarded(argc, argv);
}
