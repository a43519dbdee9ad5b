// The command line: a parser, its options and its sub-commands.
//
// It hides the library that parses, CLI11, from the commands: its
// header costs several seconds in every file that includes it; only
// parser.cpp does. Variables that options are bound to must outlive parse().
// An option's help says its unit; its default is added automatically.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace moft {

// A handle to one option; belongs to its parser.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option& required();
  // Whole numbers from `lowest` to `highest`, both allowed.
  Option& range(int lowest, int highest);
  // At most one of the two may be given.
  Option& excludes(const Option& other);
  // Placeholder that help shows after the name, instead of TEXT, INT, FLOAT ...
  Option& type_name(const std::string& name);
  // What help shows as the default.
  Option& default_text(const std::string& text);

 private:
  CLI::Option* option_;
};

class Parser {
 public:
  // The program's own parser.
  Parser(const std::string& name, const std::string& about);
  ~Parser();
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  // A name without dashes is a positional argument. A vector takes one value
  // or more.
  Option add_option(
      const std::string& name, std::string& value, const std::string& help);
  Option add_option(
      const std::string& name,
      std::vector<std::string>& value,
      const std::string& help);
  Option add_option(
      const std::string& name, std::int64_t& value, const std::string& help);
  Option add_option(
      const std::string& name, std::uint64_t& value, const std::string& help);
  Option add_option(
      const std::string& name, double& value, const std::string& help);
  Option add_option(
      const std::string& name,
      std::optional<std::uint64_t>& value,
      const std::string& help);
  Option add_option(
      const std::string& name,
      std::optional<double>& value,
      const std::string& help);
  // A file or folder: `~` and variables that no shell expanded are expanded
  // (core/paths.h).
  Option add_path(
      const std::string& name, std::string& value, const std::string& help);
  Option add_path(
      const std::string& name,
      std::vector<std::string>& value,
      const std::string& help);
  Option add_flag(
      const std::string& name, bool& value, const std::string& help);
  // `take` is called with the text that was given, and may throw CallerError.
  using TakeText = std::function<void(const std::string& text)>;
  Option add_option_to(
      const std::string& name, const TakeText& take, const std::string& help);
  // `take` is called when the flag is given.
  Option add_flag_to(
      const std::string& name,
      std::function<void()> take,
      const std::string& help);

  Parser& add_command(const std::string& name, const std::string& about);
  // One of the sub-commands must be given.
  void require_command();
  // The last lines of the help.
  void set_footer(const std::string& text);

  // Parses the arguments (without argv[0]). False when help was asked for
  // and has been printed. Throws CallerError.
  bool parse(const std::vector<std::string>& words);
  // CallerError: what is wrong with how this command was called, in the words
  // of parse() about arguments.
  [[noreturn]] void throw_usage(const std::string& wrong) const;
  // Whether this sub-command was given.
  bool chosen() const;

  // Null when there is no such sub-command.
  Parser* find_command(const std::string& name);
  std::string help() const;
  // CallerError: this parser does not know the word; what may be meant.
  [[noreturn]] void throw_unknown(const std::string& word) const;

 private:
  explicit Parser(CLI::App* app);

  std::unique_ptr<CLI::App> owned_;  // null in a sub-command
  CLI::App* app_;
  std::vector<std::unique_ptr<Parser>> commands_;
};

}  // namespace moft
