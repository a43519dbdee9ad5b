#include "cli/parser.h"

#include <cstdio>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/paths.h"
#include "moft/core/text.h"

namespace moft {
namespace {

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

std::string help_of(const CLI::App* app) {
  const CLI::App* parent = app->get_parent();
  return app->help(parent ? full_name(parent) : "");
}

std::string command_of_help(const CLI::App* app) {
  std::string name = full_name(app);
  return app->get_parent() ? "moft help" + name.substr(4) : "moft help";
}

std::vector<std::string> option_names(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app->get_options()) {
    for (const std::string& name : option->get_lnames())
      names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* sub :
       app->get_subcommands([](const CLI::App* candidate) {
         return !candidate->get_name().empty();
       })) {
    names.push_back(sub->get_name());
  }
  return names;
}

[[noreturn]] void throw_unknown_word(
    const CLI::App* app, const std::string& word) {
  const bool option = word.starts_with("-");
  const std::string bare =
      word.substr(0, option ? word.find('=') : word.size());
  const auto known = option ? option_names(app) : command_names(app);
  const std::string kind = option          ? "option"
                           : known.empty() ? "argument"
                                           : "command";
  const auto near = nearest_name(bare, known);
  const bool has_keys = option && app->get_option_no_throw("OVERRIDES");
  throw_caller_error(
      "{} {} is not known to '{}'; {}{}",
      kind,
      quote_text(bare),
      full_name(app),
      near ? "did you mean '" + *near + "'?"
           : "'" + command_of_help(app) + "' shows what is",
      has_keys ? " (keys of the recipe are given as key=value, without dashes)"
               : "");
}

[[noreturn]] void throw_usage_of(
    const CLI::App* command, const std::string& wrong) {
  throw_caller_error(
      "{}: {}; '{}' shows the options",
      full_name(command),
      wrong,
      command_of_help(command));
}

[[noreturn]] void throw_for_parse_error(
    const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = deepest(&app);
  const std::vector<std::string> rest = app.remaining(/*recurse=*/true);
  const bool extras = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  if (!rest.empty() && extras) throw_unknown_word(command, rest.front());
  const bool no_command = dynamic_cast<const CLI::RequiredError*>(&error) &&
                          command->get_require_subcommand_min() > 0;
  if (no_command) {
    if (!rest.empty()) throw_unknown_word(command, rest.front());
    throw_caller_error(
        "'{}' needs one of {}",
        full_name(command),
        join(command_names(command), ", "));
  }
  std::string message = error.what();
  while (!message.empty() && message.back() == '.')
    message.pop_back();
  throw_usage_of(command, message);
}

// `~` and variables that no shell has expanded.
void expand(CLI::Option& option, const std::string& name) {
  option.transform([name](const std::string& given) {
    return given.empty() ? given : expand_path(given, name);
  });
}

}  // namespace

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::range(int lowest, int highest) {
  option_->check(CLI::Range(lowest, highest));
  return *this;
}

Option& Option::excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Option& Option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option& Option::default_text(const std::string& text) {
  option_->default_str(text);
  return *this;
}

Parser::Parser(const std::string& name, const std::string& about)
    : owned_(std::make_unique<CLI::App>(about, name)), app_(owned_.get()) {
  app_->option_defaults()->always_capture_default();
  app_->get_formatter()->column_width(28);
}

Parser::Parser(CLI::App* app) : app_(app) {}

Parser::~Parser() = default;

Option Parser::add_option(
    const std::string& name, std::string& value, const std::string& help) {
  return Option(app_->add_option(name, value, help));
}

Option Parser::add_option(
    const std::string& name,
    std::vector<std::string>& value,
    const std::string& help) {
  return Option(app_->add_option(name, value, help));
}

Option Parser::add_option(
    const std::string& name, std::int64_t& value, const std::string& help) {
  return Option(app_->add_option(name, value, help));
}

Option Parser::add_option(
    const std::string& name, std::uint64_t& value, const std::string& help) {
  return Option(app_->add_option(name, value, help));
}

Option Parser::add_option(
    const std::string& name, double& value, const std::string& help) {
  return Option(app_->add_option(name, value, help));
}

Option Parser::add_option(
    const std::string& name,
    std::optional<std::uint64_t>& value,
    const std::string& help) {
  return Option(app_->add_option(name, value, help));
}

Option Parser::add_option(
    const std::string& name,
    std::optional<double>& value,
    const std::string& help) {
  return Option(app_->add_option(name, value, help));
}

Option Parser::add_path(
    const std::string& name, std::string& value, const std::string& help) {
  CLI::Option* option = app_->add_option(name, value, help);
  expand(*option, name);
  return Option(option);
}

Option Parser::add_path(
    const std::string& name,
    std::vector<std::string>& value,
    const std::string& help) {
  CLI::Option* option = app_->add_option(name, value, help);
  expand(*option, name);
  return Option(option);
}

Option Parser::add_flag(
    const std::string& name, bool& value, const std::string& help) {
  return Option(app_->add_flag(name, value, help));
}

Option Parser::add_option_to(
    const std::string& name, const TakeText& take, const std::string& help) {
  return Option(app_->add_option_function<std::string>(name, take, help));
}

Option Parser::add_flag_to(
    const std::string& name,
    std::function<void()> take,
    const std::string& help) {
  CLI::Option* flag = app_->add_flag_function(
      name, [take = std::move(take)](std::int64_t) { take(); }, help);
  flag->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return Option(flag);
}

Parser& Parser::add_command(const std::string& name, const std::string& about) {
  CLI::App* app = app_->add_subcommand(name, about);
  commands_.emplace_back(new Parser(app));
  return *commands_.back();
}

void Parser::require_command() {
  app_->require_subcommand(1);
}

void Parser::set_footer(const std::string& text) {
  app_->footer(text);
}

bool Parser::parse(const std::vector<std::string>& words) {
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    app_->parse(reversed);
    return true;
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", help_of(deepest(app_)));
    return false;
  } catch (const CLI::ParseError& error) {
    throw_for_parse_error(*app_, error);
  }
}

void Parser::throw_usage(const std::string& wrong) const {
  throw_usage_of(app_, wrong);
}

bool Parser::chosen() const {
  return app_->parsed();
}

Parser* Parser::find_command(const std::string& name) {
  for (const auto& command : commands_) {
    if (command->app_->get_name() == name) return command.get();
  }
  return nullptr;
}

std::string Parser::help() const {
  return help_of(app_);
}

void Parser::throw_unknown(const std::string& word) const {
  throw_unknown_word(app_, word);
}

}  // namespace moft
